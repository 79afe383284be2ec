package sched

import (
	"context"
	"slices"
)

// Withdrawing. A shared step is one for all that call or need it, in several batches. Whoever
// cannot wait for it any more, because a time limit is over or something else cancelled it,
// withdraws: for that one it has ended, for the others it goes on, with all that it needs. When
// nobody waits for it any more it is cancelled, even if who started it was the first to
// withdraw. What is called from the command line is cancelled with all that runs: nothing
// goes on without it.

// contextOfStep is the context that a step of b runs in, and what cancels it alone; nil if
// nothing has to. That of a batch with shared steps does not reach them: see withdraw.
func (b *batch) contextOfStep() (context.Context, context.CancelCauseFunc) {
	switch {
	case b.shares:
		return context.WithCancelCause(context.WithoutCancel(b.ctx))
	case b.individual:
		return context.WithCancelCause(b.ctx)
	}
	return b.ctx, nil
}

// others are the steps of b that other batches wait for, with what they need. They are
// remembered until somebody joins or withdraws.
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
		for need := range n.edges {
			add(need)
		}
	}
	for _, n := range b.nodes {
		if n.batch == b && n.awaitedElsewhere() {
			add(n)
		}
	}
	return b.awaited
}

// awaitedElsewhere reports whether another batch waits for n.
func (n *node) awaitedElsewhere() bool {
	return slices.ContainsFunc(n.callers, func(c *batch) bool { return c != n.batch && c.ctx.Err() == nil }) ||
		slices.ContainsFunc(n.dependents, func(w wait) bool {
			return w.by != nil && w.by.batch != n.batch && w.by.state != settled && !w.by.unwanted()
		})
}

// withdraw has b, whose context is done, wait no more for what goes on without it, and cancels
// what does not.
func (l *loop) withdraw(b *batch) {
	if !b.shares && !b.joins {
		return
	}
	b.awaited = nil
	var owners []*batch // of what others have started, and withdrawn from before
	for _, n := range b.nodes {
		if o := n.batch; o != b && n.state != settled && o.ctx.Err() != nil && !slices.Contains(owners, o) {
			o.awaited = nil
			owners = append(owners, o)
		}
	}
	done := l.withdrawEnds(b)
	l.withdrawSteps(b)
	if done {
		l.finish(b)
	}
	for _, o := range owners {
		l.withdraw(o)
	}
}

// goesOn reports whether n does not end with its batch.
func (n *node) goesOn() bool { return n.state != settled && !n.unwanted() }

// withdrawEnds has b wait no more for what goes on of its roots and lingering needs, and
// reports whether nothing is left that it waits for.
func (l *loop) withdrawEnds(b *batch) bool {
	before := b.open
	for _, i := range b.plan.Roots {
		n := b.nodes[i]
		if at := slices.Index(n.callers, b); at >= 0 && n.goesOn() {
			n.callers = slices.Delete(n.callers, at, at+1)
			b.open--
			if n.onlyNeededBy(nil) && !n.lingers {
				l.cancel(n, context.Cause(b.ctx))
			}
		}
	}
	for _, n := range b.lingering {
		if n.lingers && n.goesOn() {
			n.lingers = false
			b.open--
		}
	}
	if b.open < before && b.err == nil {
		b.err = context.Cause(b.ctx)
	}
	return before > 0 && b.open == 0
}

// withdrawSteps cancels the steps of b that are to end with it, and has those that wait
// do so no more for what goes on.
func (l *loop) withdrawSteps(b *batch) {
	var free []*node // wait for nothing more
	for _, n := range b.nodes {
		if n.batch != b || !n.unwanted() {
			continue
		}
		if n.state != waiting {
			l.stop(n, context.Cause(b.ctx))
			continue
		}
		before := n.needs
		for need := range n.edges {
			if need.goesOn() {
				need.release(n)
			}
		}
		if before > 0 && n.needs == 0 {
			free = append(free, n)
		}
	}
	for _, n := range free {
		if n.state == waiting {
			l.becomeReady(n)
		}
	}
}
