package engine

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// A task that changes what it is made from would run for ever, and cannot be told from
// a user who saves while it runs; nor can tasks that change what each other is made from.
// So it is counted how many runs have followed each other, each for a change that came
// while the one before it ran: of the same lane, or of another one that had begun not long
// before. The first loopLimit for each lane follow at once, the next ones after longer and
// longer times without a change, then, with a warning, none: until there is another
// change, one that comes when nothing runs. What goes on when a change comes, a server, is
// not restarted at once any more, but when it has run for some time: by then it may have
// ended. No change is lost by that.
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
	again   bool     // it is being stopped, to be run again
	queued  []string // changed, for which it is run again when it has ended
	started time.Time
	paths   []string // that made the run necessary, as they are shown

	loops   int           // how many runs it has followed, each of which may have made the change for the next one
	waiting *clock.Timer  // until nothing has changed for some time; nil when it does not
	wait    time.Duration // how long
}

type laneEnd struct {
	lane *lane
	err  error
}

// trigger has a lane run again because paths have changed, by what its policy says while
// it runs; or, without paths, because the user asks for it.
func (v *watching) trigger(ctx context.Context, l *lane, paths []string) {
	asked := paths == nil
	cause := v.cause()
	switch {
	case l.engine == nil && (asked || cause == nil):
		l.loops = 0
		v.start(ctx, l)
	case l.engine == nil:
		v.loop(ctx, l, paths, cause.loops)
	case l.policy.Signal != 0 && !asked:
		l.engine.processes.Signal(l.policy.Signal)
	case l.policy.Mode == schema.ChangeIgnored && !asked:
	case l.policy.Mode == schema.ChangeQueued && !asked:
		if l.queued = paths; cause == nil {
			l.loops = 0
		}
	case l.again: // it is being stopped
	default:
		loops := 0
		if !asked && cause != nil {
			loops = cause.loops
		}
		v.loop(ctx, l, paths, loops)
	}
}

// cause returns the lane that a change now may come from: of those that run and have begun
// not long ago the one that has followed most runs; or nil.
func (v *watching) cause() (cause *lane) {
	for _, l := range v.lanes {
		if l.engine != nil && time.Since(l.started) <= begun && (cause == nil || l.loops > cause.loops) {
			cause = l
		}
	}
	return cause
}

// restart stops what runs, to be run again.
func (v *watching) restart(l *lane) {
	l.again = true
	l.cancel(executor.Interrupt(syscall.SIGTERM))
}

// loop has a lane run again for a change of paths that may come from a run which has
// followed so many.
func (v *watching) loop(ctx context.Context, l *lane, paths []string, followed int) {
	n := followed + 1 - loopLimit*len(v.lanes)
	switch {
	case l.engine != nil && (n > 0 || l.waiting != nil):
		l.queued, l.wait = paths, max(quiet, begun-time.Since(l.started))
		v.waitFor(l)
		return
	case l.waiting != nil:
		v.waitFor(l)
		return
	}
	l.loops = followed + 1
	switch {
	case n <= 0:
		v.run(ctx, l)
	case n <= waits:
		l.wait = quiet << n
		v.waitFor(l)
	case n == waits+1:
		v.warn("task " + l.call.Name + ": " + strings.Join(v.shown(paths[:min(1, len(paths))]), "") +
			", which it is made from, changes each time it runs; it is not run again for that. Declare what it, or another task, writes as generates, or exclude it from sources")
	}
}

// run starts a lane, or restarts it.
func (v *watching) run(ctx context.Context, l *lane) {
	if l.engine != nil {
		v.restart(l)
	} else {
		v.start(ctx, l)
	}
}

// waitFor has a lane run, or run again, after some time without a change.
func (v *watching) waitFor(l *lane) {
	if l.waiting != nil {
		l.waiting.Stop()
	}
	l.waiting = v.clock.AfterFunc(l.wait, func() { v.due <- l })
}

// beQuiet runs a lane that has waited.
func (v *watching) beQuiet(ctx context.Context, l *lane) {
	if l.waiting != nil && !l.again {
		v.run(ctx, l)
	}
	l.waiting = nil
}

// start runs a lane.
func (v *watching) start(ctx context.Context, l *lane) {
	if l.waiting != nil {
		l.waiting.Stop()
		l.waiting = nil
	}
	l.again, l.queued, l.started = false, nil, time.Now()
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
	if l.again {
		v.look(ctx, l, fswatch.Batch{Lost: true})
		v.tellEnd(end, true)
		v.start(ctx, l)
		return
	}
	// What has changed by now may come from it.
	type change struct{ stale, paths []string }
	changes := make([]change, len(v.lanes))
	for i, o := range v.lanes {
		changes[i].stale, changes[i].paths = v.look(ctx, o, fswatch.Batch{Lost: true})
	}
	v.tellEnd(end, false)
	v.tellIdle()
	for i, o := range v.lanes {
		c := changes[i]
		if len(c.stale) > 0 && (o != l || l.policy.Mode != schema.ChangeIgnored && l.policy.Signal == 0) {
			o.paths = v.shown(c.paths)
			v.emit(&event.WatchTriggered{Time: time.Now(), Paths: o.paths, Tasks: c.stale})
		} else if c.paths = nil; o == l {
			c.paths = l.queued
		}
		if o == l && l.waiting != nil { // it waited for nothing but its end
			l.waiting.Stop()
			l.waiting = nil
		}
		switch {
		case c.paths == nil:
		case o.engine == nil:
			v.loop(ctx, o, c.paths, l.loops)
		default:
			v.trigger(ctx, o, c.paths)
		}
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
