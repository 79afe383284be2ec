package sched

import (
	"context"
	"slices"
)

// Leaving. A shared step is one for all that call or need it, in several batches. Whoever
// cannot wait for it any more, because a time limit is over or something else cancelled it,
// leaves it: for him it has ended, for the others it goes on, with all that it needs. When
// nobody is left it is cancelled, even if who started it was the first to leave. What is
// called from the command line is cancelled with all that runs: nothing goes on without it.

// over reports whether n is to end: its batch is, and nobody else waits for it.
func (n *node) over() bool { return n.batch.ctx.Err() != nil && !n.batch.others()[n] }

// ctxOf is the context that n runs in, and what cancels it alone; nil if nothing has to.
// That of a batch with shared steps does not reach them: see leave.
func (b *batch) ctxOf() (context.Context, context.CancelCauseFunc) {
	switch {
	case b.shares:
		return context.WithCancelCause(context.WithoutCancel(b.ctx))
	case b.individual:
		return context.WithCancelCause(b.ctx)
	}
	return b.ctx, nil
}

// others are the steps of b that other batches wait for, with what they need. They are
// remembered until somebody joins or leaves.
func (b *batch) others() map[*node]bool {
	if !b.shares || b.awaited != nil {
		return b.awaited
	}
	b.awaited = map[*node]bool{}
	var add func(n *node)
	add = func(n *node) {
		if n.batch != b || n.state == settled || b.awaited[n] {
			return
		}
		b.awaited[n] = true
		for _, edge := range b.plan.Needs[n.index] {
			add(b.nodes[edge.Step])
		}
	}
	for _, n := range b.nodes {
		if n.batch == b && n.awaitedElsewhere() {
			add(n)
		}
	}
	return b.awaited
}

func (n *node) awaitedElsewhere() bool {
	return slices.ContainsFunc(n.callers, func(c *batch) bool { return c != n.batch && c.ctx.Err() == nil }) ||
		slices.ContainsFunc(n.dependents, func(d *node) bool { return d.batch != n.batch && !d.over() })
}

// leave has b, whose context is done, wait no more for what goes on without it, and cancels
// what does not.
func (l *loop) leave(b *batch) {
	if !b.shares && !b.joins {
		return
	}
	b.awaited = nil
	var owners []*batch // of what others have started, and left before
	for _, n := range b.nodes {
		if o := n.batch; o != b && n.state != settled && o.ctx.Err() != nil && !slices.Contains(owners, o) {
			o.awaited = nil
			owners = append(owners, o)
		}
	}
	goesOn := func(n *node) bool { return n.state != settled && !n.over() }
	cause := context.Cause(b.ctx)
	had := b.roots
	for _, i := range b.plan.Roots {
		n := b.nodes[i]
		if at := slices.Index(n.callers, b); at >= 0 && goesOn(n) {
			n.callers = slices.Delete(n.callers, at, at+1)
			b.roots--
			if b.err == nil {
				b.err = cause
			}
		}
	}
	done := had > 0 && b.roots == 0
	var alone []*node // wait for nothing more
	for _, n := range b.nodes {
		if n.batch != b || !n.over() {
			continue
		}
		switch n.state {
		case running, suspended:
			if n.cancel != nil {
				n.cancel(cause)
			}
		case waiting:
			before := n.needs
			for _, edge := range b.plan.Needs[n.index] {
				need := b.nodes[edge.Step]
				if at := slices.Index(need.dependents, n); at >= 0 && goesOn(need) {
					need.dependents = slices.Delete(need.dependents, at, at+1)
					n.needs--
				}
			}
			if before > 0 && n.needs == 0 {
				alone = append(alone, n)
			}
		}
	}
	for _, n := range alone {
		if n.state == waiting {
			l.becomeReady(n)
		}
	}
	if done {
		l.finish(b)
	}
	for _, o := range owners {
		l.leave(o)
	}
}

// late ends the waiting of a step for a need that takes too long, and cancels the need if
// nobody else waits for it.
func (l *loop) late(need, of *node, err error) {
	at := slices.Index(need.dependents, of)
	if at < 0 {
		return // it has settled
	}
	if len(need.callers) == 0 && allWaitFor(need.dependents, of) {
		l.cancel(need, err)
		return
	}
	need.dependents = slices.Delete(need.dependents, at, at+1)
	of.needs--
	if of.missed == nil {
		of.missed = err
	}
	if of.needs == 0 && of.state == waiting {
		l.becomeReady(of)
	}
}
