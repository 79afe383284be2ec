package sched

import (
	"context"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/plan"
)

// Services. A service ([plan.Step.Serves]) is ready from Env.Serve on; a service group is ready
// when its body has succeeded. It lasts as long as something needs it:
//
//   - a step with a need for it, until the body of that step has ended;
//   - the command line, for a root, until the run is cancelled;
//   - a body that has called it, until that has ended.
//
// Then it is told to end. So steps end in the order of their needs, dependents first, also when the
// run is cancelled: a ready service is not stopped before all its dependents have ended, with their
// deferred commands. A service that is not ready yet is cancelled like any other step.
//
// A service that ends earlier has ended for all: a failure cancels its dependents
// ([ServiceFailed]).

// service is the state of a service or service group.
type service struct {
	users    int           // number of uses; see above
	rooted   int           // number of these by the command line
	held     int           // number of these by bodies that have called it
	unneeded chan struct{} // closed when it is to end because nothing needs it
	wasUp    bool          // it was ready
	closed   bool          // it is told to end: new dependents cannot join
	lost     *node         // a failed service that it needs
	cause    error         // why it ends when nothing needs it; nil: no other reason
	outcome  Outcome       // of the body of a service group
}

// hold is the use of a service by a body that has called it.
type hold struct{ by, service *node }

// up reports whether n is a ready service.
func (n *node) up() bool { return n.service != nil && n.state == serving }

// stale reports whether n was a service that has ended without failure.
func (n *node) stale() bool { return n.service != nil && n.service.closed && n.err == nil }

// markUp notifies the callers of n that it is ready. Their bodies use it from now on.
func (l *loop) markUp(n *node) {
	n.service.wasUp = true
	callers := n.callers
	n.callers = nil
	for _, b := range callers {
		if b.caller == nil {
			n.callers = append(n.callers, b)
			b.wasUp = true
			b.rootUp()
			continue
		}
		l.hold(b.caller, n)
		l.close(b)
	}
}

// rootUp records that a root of b is ready or has settled.
func (b *batch) rootUp() {
	if b.rootsNotUp--; b.rootsNotUp == 0 && b.up != nil {
		close(b.up)
	}
}

// rootSettled records the end of n, a root of b. Services of the command line last until then,
// unless a task beside them failed: then they end when all tasks have.
func (l *loop) rootSettled(b *batch, n *node) {
	if n.service == nil {
		b.ordinary--
		if n.err != nil && b.failed == nil {
			b.failed = n
		}
	}
	if n.service == nil || !n.service.wasUp {
		b.rootUp()
	}
	if b.caller != nil || b.failed == nil || b.ordinary > 0 {
		return
	}
	for _, i := range b.plan.Roots {
		if root := b.nodes[i]; root.service != nil {
			l.cancel(root, &StepFailed{Task: b.failed.step.Label, Err: b.failed.err})
		}
	}
}

// awaitsEnding makes b, of which all else has ended, wait for services that end for that reason,
// and reports whether there are any. Others wait for the rest.
func (l *loop) awaitsEnding(b *batch) bool {
	for _, n := range b.lingering {
		switch {
		case n.lingers != noted || n.state == settled:
		case n.service.closed:
			n.lingers = awaited
			b.pending++
		default:
			n.lingers = forgotten
		}
	}
	return b.pending > 0
}

func (l *loop) hold(by, n *node) {
	n.service.held++
	l.callHolds = append(l.callHolds, hold{by, n})
}

// releaseService ends the use of a service by n before the body of n has ended.
func (l *loop) releaseService(n, service *node) {
	l.released = append(l.released, hold{n, service})
	l.releaseUse(service)
}

// releaseNeeds ends the uses of services by n, whose body has ended.
func (l *loop) releaseNeeds(n *node) {
	for _, edge := range n.batch.plan.Needs[n.index] {
		need := n.batch.nodes[edge.Step]
		if need.service == nil || edge.When == plan.After {
			continue
		}
		if at := slices.Index(l.released, hold{n, need}); at >= 0 {
			l.released = slices.Delete(l.released, at, at+1)
			continue
		}
		l.releaseUse(need)
	}
	var called []*node
	l.callHolds = slices.DeleteFunc(l.callHolds, func(h hold) bool {
		if h.by == n {
			called = append(called, h.service)
		}
		return h.by == n
	})
	for _, s := range slices.Backward(called) {
		s.service.held--
		l.releaseUse(s)
	}
}

// releaseUse ends one use of n, and ends n if it was the last.
func (l *loop) releaseUse(n *node) {
	s := n.service
	if s.users--; s.users > 0 {
		l.releaseLost(n)
		return
	}
	if s.closed || n.state < running || n.state > serving {
		return
	}
	l.retire(n)
	if s.cause == nil {
		s.cause = context.Cause(n.batch.top.ctx)
	}
	switch {
	case n.up() && n.isGroup():
		l.settle(time.Now(), n, n.groupOutcome())
	case s.cause != nil:
		n.cancel(s.cause)
	default:
		close(s.unneeded)
	}
}

// retire removes n, which is told to end, from the shared steps: later calls of its task start
// another instance.
func (l *loop) retire(n *node) {
	n.service.closed = true
	if !n.step.Shared() {
		return
	}
	if l.r.o.Expander != nil {
		l.r.o.Expander.Forget(n.step)
	}
	if l.closing == nil {
		l.closing = map[plan.Key]*node{}
	}
	l.closing[n.step.Key] = n
}

// waitForLast makes n wait for the end of the previous instance of the same service, if that is
// still ending.
func (l *loop) waitForLast(n *node) {
	if last := l.closing[n.step.Key]; last != nil {
		last.dependents = append(last.dependents, wait{by: n, when: plan.After})
		n.needs++
	}
}

// end ends n, which is ready, when no other step needs it any more.
func (l *loop) end(n *node, cause error) {
	s := n.service
	if s.cause == nil {
		s.cause = cause
	}
	for ; s.rooted > 0; s.rooted-- {
		l.releaseUse(n)
	}
}

// releaseRoots ends the uses of the roots of b by the command line.
func (l *loop) releaseRoots(b *batch) {
	for _, i := range b.plan.Roots {
		if n := b.nodes[i]; n.up() {
			l.end(n, nil)
		}
	}
}
