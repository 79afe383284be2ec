package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
)

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
