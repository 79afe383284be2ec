package engine

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/watch"
	"github.com/weftrun/weft/schema"
)

// A task that changes what it is made from would run for ever, and cannot be told from
// a user who saves while it runs. So:
//
//   - one that has ended and whose sources have changed meanwhile is run again at once
//     loopLimit times in a row, then after longer and longer waits, then, with a
//     warning, only when something changes while it does not run;
//   - one that is restarted loopLimit times in a row, each time when it has hardly begun,
//     is from then on restarted when nothing has changed for quiet. No change is lost.
const (
	loopLimit = 5
	waits     = 4
	quiet     = 300 * time.Millisecond
	begun     = 2 * time.Second
)

// lane is one of the calls.
type lane struct {
	call    plan.Call
	watched []*watchedStep
	policy  schema.OnChange
	engine  *Engine // of the run; nil while nothing runs
	cancel  context.CancelCauseFunc
	again   bool // when the run has ended
	started time.Time
	paths   []string // that made the run necessary, as they are shown

	loops    int          // runs in a row after which what they are made from had changed
	restarts int          // in a row, of runs that had hardly begun
	waiting  *clock.Timer // for quiet; nil when it does not
}

type laneEnd struct {
	lane *lane
	err  error
}

// trigger has a lane run again because something has changed, by what its policy says
// while it runs; or because the user asks for it.
func (v *watching) trigger(ctx context.Context, l *lane, asked bool) {
	if l.engine == nil {
		l.loops = 0
		v.start(ctx, l)
		return
	}
	switch {
	case l.policy.Signal != 0 && !asked:
		l.engine.processes.Signal(l.policy.Signal)
	case l.policy.Mode == schema.ChangeIgnored && !asked:
	case l.policy.Mode == schema.ChangeQueued && !asked:
		l.again = true
	case l.again: // it is being stopped
	default:
		if asked || time.Since(l.started) > begun {
			l.restarts = 0
		}
		if l.restarts++; l.restarts <= loopLimit {
			v.restart(l)
		} else {
			v.waitFor(l, quiet)
		}
	}
}

// restart stops what runs, to be run again.
func (v *watching) restart(l *lane) {
	l.again = true
	l.cancel(executor.Interrupt(syscall.SIGTERM))
}

// loop has a lane run again that has ended, and whose sources have changed meanwhile.
func (v *watching) loop(ctx context.Context, l *lane, paths []string) {
	l.loops++
	switch n := l.loops - loopLimit; {
	case n <= 0:
		v.start(ctx, l)
	case n <= waits:
		v.waitFor(l, quiet<<n)
	case n == waits+1:
		v.warn("task " + l.call.Name + " changes " + strings.Join(v.shown(paths[:min(1, len(paths))]), "") +
			", which it is made from, each time it runs; it is not run again for that. Declare what it writes as generates, or exclude it from sources")
	}
}

// waitFor has a lane run, or run again, after some time without a change.
func (v *watching) waitFor(l *lane, d time.Duration) {
	if l.waiting != nil {
		l.waiting.Stop()
	}
	l.waiting = v.clock.AfterFunc(d, func() { v.due <- l })
}

// beQuiet runs a lane that has waited.
func (v *watching) beQuiet(ctx context.Context, l *lane) {
	switch {
	case l.waiting == nil || l.again:
	case l.engine != nil:
		v.restart(l)
	default:
		v.start(ctx, l)
	}
	l.waiting = nil
}

// start runs a lane.
func (v *watching) start(ctx context.Context, l *lane) {
	if l.waiting != nil {
		l.waiting.Stop()
		l.waiting = nil
	}
	l.again, l.started = false, time.Now()
	sub, err := v.engine(ctx)
	if err != nil {
		v.emit(&event.WatchFailed{Time: time.Now(), Err: err})
		return
	}
	if v.o.Idle != nil {
		v.o.Idle(false)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	v.mu.Lock()
	stopped := v.stopping != nil
	if !stopped {
		l.engine, l.cancel = sub, cancel
	}
	v.mu.Unlock()
	if stopped {
		cancel(nil)
		sub.Close()
		return
	}
	go func() {
		err := sub.Run(ctx, []plan.Call{l.call})
		cancel(nil)
		v.ended <- laneEnd{l, err}
	}()
}

// over notes the end of a run, and reports whether it is the end of all.
func (v *watching) over(end laneEnd) (stopped bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	end.lane.engine, end.lane.cancel = nil, nil
	return v.stopping != nil
}

func (v *watching) tellEnd(end laneEnd, restarted bool) {
	v.emit(&event.WatchEnded{Time: time.Now(), Task: end.lane.call.Name, Err: end.err, Restarted: restarted,
		Duration: time.Since(end.lane.started), Trigger: end.lane.paths})
}

// laneEnded deals with the end of a run: what has changed meanwhile makes another one
// due. The end is told when that is known: what changes after it is an outside change.
func (v *watching) laneEnded(ctx context.Context, end laneEnd) {
	l := end.lane
	if v.over(end) {
		v.tellEnd(end, true)
		return
	}
	stale, paths := v.look(ctx, l, watch.Batch{Lost: true})
	if l.again {
		v.tellEnd(end, true)
		v.start(ctx, l)
		return
	}
	v.tellEnd(end, false)
	v.tellIdle()
	if len(stale) > 0 && l.policy.Mode != schema.ChangeIgnored && l.policy.Signal == 0 {
		v.emit(&event.WatchTriggered{Time: time.Now(), Paths: v.shown(paths), Tasks: stale})
		v.loop(ctx, l, paths)
	}
}

// tellIdle says whether something runs.
func (v *watching) tellIdle() {
	if v.o.Idle == nil {
		return
	}
	for _, l := range v.lanes {
		if l.engine != nil {
			return
		}
	}
	v.o.Idle(true)
}
