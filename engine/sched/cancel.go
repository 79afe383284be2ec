package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// cancel ends n and everything only it needs. n settles when all of that has settled: at once if
// nothing is running.
func (l *loop) cancel(n *node, cause error) {
	if n.state > ready {
		l.stop(n, cause)
		return
	}
	if n.verdict == nil {
		n.verdict = &Outcome{Result: event.Cancelled, Err: cause}
	}
	for _, edge := range n.batch.plan.Needs[n.index] {
		need := n.batch.nodes[edge.Step]
		if edge.When != plan.After && need.onlyNeededBy(n) {
			l.cancel(need, cause)
		} else {
			l.dropNeed(n, need)
		}
	}
	if n.needs == 0 && n.state <= ready {
		l.settle(time.Now(), n, n.withoutRunning())
	}
}

// dropNeed ends the wait of n for a need, if any, and its use of it. The need keeps the entry of n,
// because its dependents may be iterated over.
func (l *loop) dropNeed(n, need *node) {
	w := need.waits(n)
	if w == nil {
		return
	}
	w.decide()
	w.by = nil
	if need.service != nil && w.when != plan.After {
		l.releaseService(n, need)
	}
}

// stop ends the body of n; that of a ready service once nothing needs it. A service that is not
// ready yet will not become ready.
func (l *loop) stop(n *node, cause error) {
	switch {
	case n.up():
		l.end(n, cause)
	case n.cancel != nil:
		if n.service != nil && !n.service.closed {
			n.service.cause = cause
			l.retire(n)
		}
		n.cancel(cause)
	}
}

// cancelNeeds cancels the needs of n that have no other dependents.
func (l *loop) cancelNeeds(n *node, cause error) {
	for need := range n.edges {
		if need.onlyNeededBy(n) {
			l.cancel(need, cause)
		}
	}
}

// cancelEnds cancels everything that only b waits for.
func (l *loop) cancelEnds(b *batch, cause error) {
	for n := range b.ends {
		if len(n.callers) <= 1 {
			l.cancel(n, cause)
		}
	}
}

// drain is called when the context of b is done. It settles the ready steps that are cancelled, so
// that they do not first wait for a slot or a pool.
func (l *loop) drain(b *batch) {
	l.withdraw(b)
	var unwanted []*node
	note := func(n *node) {
		if n.state == ready && n.unwanted() {
			unwanted = append(unwanted, n)
		}
	}
	l.ready.each(note)
	l.away.each(note)
	for _, n := range l.parked {
		note(n)
	}
	for _, n := range unwanted {
		if n.state == ready {
			l.settle(time.Now(), n, n.withoutRunning())
		}
	}
}

// expiry is a need that exceeded its time limit.
type expiry struct {
	need, of *node
	after    time.Duration
}

// limit starts the timer of a need with a time limit; it returns nil if there is no limit.
func (l *loop) limit(of, need *node, after time.Duration) *clock.Timer {
	if after == 0 {
		return nil
	}
	of.batch.individual = true
	return l.r.o.Clock.AfterFunc(after, func() {
		l.r.post(message{expired: &expiry{need: need, of: of, after: after}})
	})
}

// expire ends the wait for a need that takes too long, and cancels the need if it has no other use.
// A reader whose input is shared is cancelled itself.
func (l *loop) expire(e *expiry) {
	err := &TimedOut{Name: e.need.step.Label, After: e.after, Limit: NeedLimit}
	var readers []*node
	if s := e.need.ties.streams; s != nil {
		readers = slices.Concat(s.readers, s.senders)
	}
	reads := slices.Contains(readers, e.of)
	switch {
	case e.need.state == settled || !reads && e.need.waits(e.of) == nil: // the condition has been decided meanwhile
	case e.need.onlyNeededBy(e.of) && !slices.ContainsFunc(readers, func(r *node) bool { return r != e.of }):
		l.cancel(e.need, err)
	case reads:
		l.cancel(e.of, err)
	default:
		l.dropNeed(e.of, e.need)
		if !e.of.cannotStart() {
			e.of.verdict = &Outcome{Result: event.Skipped, Err: err}
		}
		if e.of.needs == 0 && e.of.state == waiting {
			l.becomeReady(e.of)
		}
	}
}
