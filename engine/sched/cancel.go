package sched

import (
	"errors"

	"github.com/weftrun/weft/engine/event"
)

// cancel ends n and what only it needs: at once where nothing runs, else when
// the executor returns.
func (l *loop) cancel(n *node, cause error) {
	switch n.state {
	case settled:
	case running, suspended:
		if n.cancel != nil {
			n.cancel(cause)
		}
	default:
		l.cancelNeeds(n, cause)
		if n.state != settled {
			l.settle(n, Outcome{Result: event.Cancelled, Err: cause})
		}
	}
}

// cancelNeeds cancels the needs of n that nobody else waits for.
func (l *loop) cancelNeeds(n *node, cause error) {
	for _, edge := range n.batch.plan.Needs[n.index] {
		need := n.batch.nodes[edge.Step]
		if need.state == settled || len(need.callers) > 0 {
			continue
		}
		if len(need.dependents) == 1 || allWaitFor(need.dependents, n) {
			l.cancel(need, cause)
		}
	}
}

func allWaitFor(dependents []*node, n *node) bool {
	for _, d := range dependents {
		if d != n && !d.hopeless() {
			return false
		}
	}
	return true
}

func (l *loop) cancelRoots(b *batch, cause error) {
	for _, i := range b.plan.Roots {
		if n := b.nodes[i]; len(n.callers) <= 1 {
			l.cancel(n, cause)
		}
	}
}

// drain is called when the context of b is done. It settles the ready steps that are to
// end, so that they need not wait for a slot to learn it.
func (l *loop) drain(b *batch) {
	l.leave(b)
	var over []*node
	for _, e := range l.ready {
		if n := e.node; n.state == ready && n.over() {
			over = append(over, n)
		}
	}
	for _, n := range over {
		if n.state == ready {
			l.settle(n, l.withoutRunning(n))
		}
	}
	l.ready.keep()
}

// IsCancelled reports whether err only says that something else ended the step.
func IsCancelled(err error) bool {
	var failed *StepFailed
	var interrupted *Interrupted
	return errors.As(err, &failed) || errors.As(err, &interrupted)
}
