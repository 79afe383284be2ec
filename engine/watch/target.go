package watch

import (
	"context"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// target is one of the calls that are watched:
//
//	        start            ended
//	idle ───────────▶ running ─────▶ idle
//	                  ▲     │ restart
//	                  │     ▼
//	            ended └── stopping
//
// A target that is idle or running may wait, too: for the end of the run (queued), or for
// some time without a change (due; see follow).
type target struct {
	call    plan.Call
	policy  schema.OnChange
	sources []*sources

	run      run // nil when idle; Watcher.mu guards it
	cancel   context.CancelCauseFunc
	stopping bool     // it is being stopped, to be run again
	queued   []string // changed, for which it is run again when it has ended
	started  time.Time
	paths    []string // that made the run necessary, as they are shown

	followed int           // how many runs it has followed, each of which may have made the change for the next one
	due      time.Time     // when it has waited long enough; zero: it does not wait
	wait     time.Duration // how long it waits
}

// runEnd is the end of a target's run.
type runEnd struct {
	*target
	err error
}

// triggerAll has all targets run again because the user asks for it, or because of what may
// change anything.
func (w *Watcher) triggerAll(ctx context.Context) {
	for _, t := range w.targets {
		w.trigger(ctx, t, nil)
	}
}

// trigger has a target run again because paths have changed, by what its policy says while
// it runs; or, without paths, because it is asked for.
func (w *Watcher) trigger(ctx context.Context, t *target, paths []string) {
	asked := paths == nil
	suspect := w.suspect()
	if asked {
		suspect = nil
	}
	switch {
	case t.run == nil && suspect == nil:
		t.followed = 0
		w.start(ctx, t)
	case t.run == nil:
		w.follow(ctx, t, paths, suspect.followed)
	case t.policy.Signal != 0 && !asked:
		t.run.SignalCommands(t.policy.Signal)
	case t.policy.Mode == schema.ChangeIgnored && !asked:
	case t.policy.Mode == schema.ChangeQueued && !asked:
		if t.queued = paths; suspect == nil {
			t.followed = 0
		}
	case t.stopping:
	case suspect == nil:
		w.follow(ctx, t, paths, 0)
	default:
		w.follow(ctx, t, paths, suspect.followed)
	}
}

// runAgain starts a target, or stops what runs, to be run again.
func (w *Watcher) runAgain(ctx context.Context, t *target) {
	if t.run == nil {
		w.start(ctx, t)
		return
	}
	t.stopping = true
	t.cancel(command.Interrupt(syscall.SIGTERM))
}

// start runs a target.
func (w *Watcher) start(ctx context.Context, t *target) {
	t.due, t.stopping, t.queued, t.started = time.Time{}, false, nil, time.Now()
	r, err := w.newRun(ctx, w.workflow)
	if err != nil {
		w.failed(ctx, err)
		return
	}
	if w.o.Idle != nil {
		w.o.Idle(false)
	}
	if !w.enter(t, r) {
		r.Close()
		return
	}
	ctx, t.cancel = context.WithCancelCause(ctx)
	go func(cancel context.CancelCauseFunc) {
		err := r.Run(ctx, []plan.Call{t.call})
		cancel(nil)
		w.ended <- runEnd{t, err}
	}(t.cancel)
}

// runEnded deals with the end of a run: what has changed meanwhile makes another one
// due. The end is told when that is known: what changes after it is an outside change.
func (w *Watcher) runEnded(ctx context.Context, end runEnd) {
	t := end.target
	w.leave(t)
	if w.signal() != nil {
		w.tellEnd(end, true)
		return
	}
	if t.stopping {
		w.look(ctx, t, fswatch.Batch{Lost: true})
		w.tellEnd(end, true)
		w.start(ctx, t)
		return
	}
	// What has changed by now may come from it.
	type change struct{ stale, paths []string }
	changes := make([]change, len(w.targets))
	for i, o := range w.targets {
		changes[i].stale, changes[i].paths = w.look(ctx, o, fswatch.Batch{Lost: true})
	}
	w.tellEnd(end, false)
	w.tellIdle()
	for i, o := range w.targets {
		c := changes[i]
		if len(c.stale) > 0 && (o != t || t.policy.Mode != schema.ChangeIgnored && t.policy.Signal == 0) {
			o.paths = w.shown(c.paths)
			w.tell(&event.WatchTriggered{Time: time.Now(), Paths: o.paths, Tasks: c.stale})
		} else if c.paths = nil; o == t {
			c.paths = t.queued
		}
		if o == t { // if it waited, then for its end
			t.due = time.Time{}
		}
		switch {
		case c.paths == nil:
		case o.run == nil:
			w.follow(ctx, o, c.paths, t.followed)
		default:
			w.trigger(ctx, o, c.paths)
		}
	}
}

func (w *Watcher) tellEnd(end runEnd, restarted bool) {
	w.tell(&event.WatchEnded{Time: time.Now(), Task: end.call.Name, Err: end.err, Restarted: restarted,
		Duration: time.Since(end.started), Trigger: end.paths})
}

// tellIdle says that nothing runs, if so.
func (w *Watcher) tellIdle() {
	if w.o.Idle != nil && len(w.running()) == 0 {
		w.o.Idle(true)
	}
}
