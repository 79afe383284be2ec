package executor

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/plan"
)

// idle stops a command that has written nothing for some time.
type idle struct {
	timer atomic.Pointer[clock.Timer]
	after func() *clock.Timer
	outer *idle // of the group that the command is in
}

func newIdle(c *clock.Clock, name string, limit timeLimit, stop func(error)) *idle {
	w := &idle{after: func() *clock.Timer {
		return c.AfterFunc(limit, func() { stop(idleTimeOut(name, limit)) })
	}}
	w.timer.Store(w.after())
	return w
}

// Write notes that something was written.
func (w *idle) Write(p []byte) (int, error) {
	w.timer.Swap(w.after()).Stop()
	if w.outer != nil {
		w.outer.Write(p)
	}
	return len(p), nil
}

func (w *idle) end() { w.timer.Load().Stop() }

var _ io.Writer = (*idle)(nil)

// idleKey is for the idle of a group, in the context of its members.
type idleKey struct{}

// watched runs a group, which must not be silent as a whole: what any member writes,
// to another one, too, counts.
func (r *run) watched(ctx context.Context, p *plan.Process, f func(context.Context) error) error {
	if p.IdleTimeout <= 0 {
		return f(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newIdle(r.x.o.Clock, r.step.Label, p.IdleTimeout, cancel)
	w.outer, _ = ctx.Value(idleKey{}).(*idle)
	defer w.end()
	return f(context.WithValue(ctx, idleKey{}, w))
}
