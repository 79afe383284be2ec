package command

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/sched"
)

// idle stops a command without output for some time. It is a writer for the output, and safe for
// concurrent use.
type idle struct {
	timer atomic.Pointer[clock.Timer]
	after func() *clock.Timer
	outer io.Writer // of the enclosing group; may be nil
}

func newIdle(c *clock.Clock, name string, limit time.Duration, outer io.Writer, stop func(error)) *idle {
	w := &idle{outer: outer, after: func() *clock.Timer {
		return c.AfterFunc(limit, func() { stop(&sched.TimedOut{Name: name, After: limit, Limit: sched.IdleLimit}) })
	}}
	w.timer.Store(w.after())
	return w
}

// Write records that something was written.
func (w *idle) Write(p []byte) (int, error) {
	w.timer.Swap(w.after()).Stop()
	if w.outer != nil {
		w.outer.Write(p)
	}
	return len(p), nil
}

func (w *idle) end() { w.timer.Load().Stop() }

// watched runs the members of a group within its idle_timeout: output of any member, even to
// another one, counts.
func (j *job) watched(ctx context.Context, members func(*job, context.Context) error) error {
	if j.c.IdleTimeout <= 0 {
		return members(j, ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newIdle(j.s.o.Clock, j.s.Step.Label, j.c.IdleTimeout, j.Activity, cancel)
	defer w.end()
	j.Activity = w
	return members(j, ctx)
}
