package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// A step without commands that needs services is a service group: it is ready when they are, and
// ends when it is not needed any more, or none of them is ready. If one has failed, the group fails
// at its end, but the others continue as long as they or the group are needed: with failfast only
// needs of other steps count.

// isGroup reports whether n is a service group.
func (n *node) isGroup() bool { return n.service != nil && n.step.Task.Service() == nil }

// formGroup makes n, whose body has succeeded, a service group, and reports whether it is one.
func (l *loop) formGroup(n *node, out Outcome) bool {
	if !n.isGroup() || out.Err != nil {
		return false
	}
	if n.service.outcome = out; n.service.closed {
		l.settle(time.Now(), n, n.groupOutcome())
		return true
	}
	l.set(n, serving, nil)
	l.updateGroup(n)
	return true
}

// updateGroup settles the group n when none of its services is ready any more. With failfast it
// ends when one has failed.
func (l *loop) updateGroup(n *node) {
	if !n.up() || !n.isGroup() {
		return
	}
	lasts := func(need *node) bool { return need.service != nil && need.state < ended }
	switch {
	case !slices.ContainsFunc(slices.Collect(n.edges), lasts):
		l.settle(time.Now(), n, n.groupOutcome())
	case n.fault != nil && (n.step.Failfast || l.r.o.Failfast):
		l.end(n, n.fault.err)
	}
}

// groupOutcome returns the outcome of the group n.
func (n *node) groupOutcome() Outcome {
	switch s := n.service; {
	case n.fault != nil:
		return Outcome{Result: event.Failed, Err: n.fault.err}
	case s.cause != nil:
		return Outcome{Result: event.Cancelled, Err: s.cause}
	default:
		return s.outcome
	}
}

// releaseLost ends the uses that n, a group with a failed service, has of the services that end
// because of the failure, as soon as no other step needs n.
func (l *loop) releaseLost(n *node) {
	if n.fault == nil || !n.up() || !n.isGroup() || !n.idle() {
		return
	}
	var lost []*node
	for need := range n.edges {
		switch {
		case !need.up():
		case need.isGroup():
			l.releaseLost(need)
		case need.service.lost != nil && !slices.Contains(l.released, hold{n, need}):
			lost = append(lost, need)
		}
	}
	for _, need := range lost {
		l.releaseService(n, need)
	}
}

// idle reports whether only the command line, and groups that fail too, need n.
func (n *node) idle() bool {
	others := n.service.users - n.service.rooted
	for _, w := range n.dependents {
		if d := w.by; d != nil && w.when != plan.After && d.up() && d.isGroup() && d.fault != nil && d.idle() {
			others--
		}
	}
	return others == 0
}
