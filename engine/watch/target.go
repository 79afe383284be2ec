package watch

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// target is a call that is watched:
//
//	        start            ended
//	idle ───────────▶ running ─────▶ idle
//	                  ▲     │ restart
//	                  │     ▼
//	            ended └── stopping
//
// Besides, a run of an idle or running target may be planned: for the end of the current run
// (queued), or after a quiet time (due; see follow).
type target struct {
	call    plan.Call
	policy  schema.OnChange
	sources []*sources

	run      run // nil when idle; Watcher.mu guards it
	cancel   context.CancelCauseFunc
	stopping bool     // the run is being stopped, and starts again then
	serves   bool     // services that its last run started are up
	queued   []string // changed paths that cause a run after this one
	started  time.Time
	paths    []string // changed paths that caused the run, as they are shown

	wanted chan<- error // gets the end of a run that is not watched; nil for what is

	followed int           // how many runs in a row came before, each of which may have caused the next
	due      time.Time     // the end of the quiet time; zero if there is none
	wait     time.Duration // the length of the quiet time
}

// runEnd is the end of a target's run.
type runEnd struct {
	*target
	err error
}

// triggerAll runs all targets again: the user wants it, or any of them may have changed.
func (w *Watcher) triggerAll(ctx context.Context) {
	for _, t := range w.targets {
		w.trigger(ctx, t, nil)
	}
}

// trigger runs a target again because paths have changed, following its policy if it is
// running; or, without paths, because the user wants it.
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

// runAgain starts a target; if it is running, it stops the run first.
func (w *Watcher) runAgain(ctx context.Context, t *target) {
	if t.run == nil {
		w.start(ctx, t)
		return
	}
	t.stopping = true
	t.cancel(command.Interrupt(syscall.SIGTERM))
}

// start starts a run of a target.
func (w *Watcher) start(ctx context.Context, t *target) {
	t.due, t.stopping, t.serves, t.queued, t.started = time.Time{}, false, false, nil, time.Now()
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

// runEnded handles the end of a run: what has changed during it causes another one. The end is
// reported once that is known: any change after the report comes from elsewhere.
func (w *Watcher) runEnded(ctx context.Context, end runEnd) {
	t := end.target
	w.leave(t)
	if t.wanted != nil {
		w.requestEnded(end)
	}
	if w.signal() != nil {
		w.reportEnd(end, true)
		return
	}
	if t.wanted != nil {
		w.reportEnd(end, false)
		if w.o.Idle != nil && len(w.running()) == 0 {
			w.o.Idle(true)
		}
		return
	}
	if t.stopping {
		w.look(ctx, t, fswatch.Batch{Lost: true})
		w.reportEnd(end, true)
		w.start(ctx, t)
		return
	}
	var discovering []*target
	for _, t := range w.targets {
		if slices.ContainsFunc(t.sources, func(s *sources) bool { return s.Depfile }) {
			discovering = append(discovering, t)
		}
	}
	if discovering != nil {
		w.refresh(ctx, discovering)
	}
	// The run may have made any change up to now.
	type change struct{ stale, paths []string }
	changes := make([]change, len(w.targets))
	for i, o := range w.targets {
		changes[i].stale, changes[i].paths = w.look(ctx, o, fswatch.Batch{Lost: true})
	}
	t.serves = w.services.Up()
	w.reportEnd(end, false)
	if w.o.Idle != nil && len(w.running()) == 0 {
		w.o.Idle(true)
	}
	for i, o := range w.targets {
		c := changes[i]
		if len(c.stale) > 0 && (o != t || t.policy.Mode != schema.ChangeIgnored && t.policy.Signal == 0) {
			o.paths = w.shown(c.paths)
			w.emit(&event.WatchTriggered{Time: time.Now(), Paths: o.paths, Tasks: c.stale})
		} else if c.paths = nil; o == t {
			c.paths = t.queued
		}
		if o == t { // if it waited, it was for this end
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

func (w *Watcher) reportEnd(end runEnd, restarted bool) {
	w.emit(&event.WatchEnded{Time: time.Now(), Task: end.call.Name, Err: end.err, Restarted: restarted, Serving: end.serves,
		Duration: time.Since(end.started), Trigger: end.paths})
}
