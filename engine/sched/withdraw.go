package sched

import (
	"context"
	"slices"

	"github.com/weftrun/weft/engine/plan"
)

// Withdrawing. A shared step is one step for everything that calls or needs it, in several batches.
// A batch that cannot wait for it any longer, because of a time limit or another cancellation,
// withdraws: for that batch the step has ended; for the others it continues, with all its needs.
// When the last batch has withdrawn the step is cancelled, even if the batch that started it was
// the first to withdraw. Batches of the command line are cancelled with everything that runs:
// nothing continues without them.

// context returns the context of n, and the function that cancels it alone; nil if not needed. A
// batch's context does not reach shared steps, see withdraw, nor services.
func (n *node) context() (context.Context, context.CancelCauseFunc) {
	switch b := n.batch; {
	case b.shares, n.service != nil:
		return context.WithCancelCause(context.WithoutCancel(b.ctx))
	case b.individual:
		return context.WithCancelCause(b.ctx)
	default:
		return b.ctx, nil
	}
}

// others returns the steps of b that other batches wait for, with their needs. They are cached
// until a batch joins or withdraws.
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
			return w.by != nil && w.when != plan.After && w.by.batch != n.batch && w.by.state != settled && !w.by.unwanted()
		})
}

// withdraw ends the waits of b, whose context is done, for steps that continue without it, and
// cancels all others.
func (l *loop) withdraw(b *batch) {
	if !b.shares && !b.joins && !b.services {
		return
	}
	b.awaited = nil
	var owners []*batch // owners of shared steps that withdrew earlier
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

// withdrawEnds ends the waits of b for roots and lingering needs that continue, and reports whether
// b has nothing left to wait for.
func (l *loop) withdrawEnds(b *batch) bool {
	before := b.pending
	for _, i := range b.plan.Roots {
		n := b.nodes[i]
		at := slices.Index(n.callers, b)
		switch {
		case at < 0 || !n.goesOn():
		case n.service != nil && b.caller == nil:
			l.stop(n, context.Cause(b.ctx))
		default:
			n.callers = slices.Delete(n.callers, at, at+1)
			b.pending--
			if n.onlyNeededBy(nil) && n.lingers == forgotten {
				l.cancel(n, context.Cause(b.ctx))
			}
			if n.service != nil {
				l.releaseUse(n)
			}
		}
	}
	for _, n := range b.lingering {
		if !n.goesOn() {
			continue
		}
		if n.lingers == awaited {
			b.pending--
		}
		n.lingers = forgotten
	}
	if b.pending < before && b.err == nil {
		b.err = context.Cause(b.ctx)
	}
	return before > 0 && b.pending == 0
}

// withdrawSteps cancels the steps of b that end with it, and ends their waits for steps that
// continue.
func (l *loop) withdrawSteps(b *batch) {
	var free []*node // those without further waits
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
				l.dropNeed(n, need)
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
