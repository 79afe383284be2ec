package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/clock"
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

// expiry is a need that took longer than it may.
type expiry struct {
	need, of *node
	after    time.Duration
}

// limit makes the timer of a need that may take so long; nil for one that may take as
// long as it likes.
func (l *loop) limit(of, need *node, after time.Duration) *clock.Timer {
	if after == 0 {
		return nil
	}
	of.batch.individual = true
	return l.r.o.Clock.AfterFunc(after, func() {
		l.r.tell(message{expired: &expiry{need: need, of: of, after: after}})
	})
}

// expire ends the waiting for a need that takes too long, and cancels the need if nobody
// else has any use for it. A reader that shares what it reads is cancelled itself.
func (l *loop) expire(e *expiry) {
	err := &TimedOut{Name: e.need.step.Label, After: e.after, Limit: NeedLimit}
	var readers []*node
	if s := e.need.streams; s != nil {
		readers = s.readers
	}
	reads := slices.Contains(readers, e.of)
	switch {
	case e.need.state == settled || !reads && e.need.waits(e.of) == nil: // it has come meanwhile
	case e.need.onlyNeededBy(e.of) && !slices.ContainsFunc(readers, func(r *node) bool { return r != e.of }):
		l.cancel(e.need, err)
	case reads:
		l.cancel(e.of, err)
	default:
		e.need.release(e.of)
		if !e.of.cannotStart() {
			e.of.verdict = &Outcome{Result: event.Skipped, Err: err}
		}
		if e.of.needs == 0 && e.of.state == waiting {
			l.becomeReady(e.of)
		}
	}
}
