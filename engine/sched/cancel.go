package sched

import (
	"errors"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// cancel ends n and what only it needs. n settles when all of that has: at once where
// nothing runs.
func (l *loop) cancel(n *node, cause error) {
	if n.state > ready {
		l.stop(n, cause)
		return
	}
	if n.verdict == nil {
		n.verdict = &Outcome{Result: event.Cancelled, Err: cause}
	}
	for need := range n.edges {
		if need.onlyNeededBy(n) {
			l.cancel(need, cause)
		} else {
			need.release(n)
		}
	}
	if n.needs == 0 && n.state <= ready {
		l.settle(time.Now(), n, n.withoutRunning())
	}
}

// stop tells the body of n to end.
func (l *loop) stop(n *node, cause error) {
	if n.cancel != nil {
		n.cancel(cause)
	}
}

// cancelNeeds cancels the needs of n that nobody else waits for.
func (l *loop) cancelNeeds(n *node, cause error) {
	for need := range n.edges {
		if need.onlyNeededBy(n) {
			l.cancel(need, cause)
		}
	}
}

// cancelEnds cancels what b waits for, and nobody else.
func (l *loop) cancelEnds(b *batch, cause error) {
	for n := range b.ends {
		if len(n.callers) <= 1 {
			l.cancel(n, cause)
		}
	}
}

// drain is called when the context of b is done. It settles the ready steps that are to
// end, so that they need not wait for a slot to learn it.
func (l *loop) drain(b *batch) {
	l.withdraw(b)
	var unwanted []*node
	for _, e := range l.ready {
		if n := e.node; n.state == ready && n.unwanted() {
			unwanted = append(unwanted, n)
		}
	}
	for _, n := range unwanted {
		if n.state == ready {
			l.settle(time.Now(), n, n.withoutRunning())
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
