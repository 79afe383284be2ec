package watch

import (
	"context"
	"strings"
	"time"
)

// A task that changes its own sources would run for ever, and cannot be distinguished from a user
// who saves files while the task runs. The same is true of tasks that change each other's sources.
// The watcher therefore counts the consecutive runs that were each caused by a change during the
// run before: a run of the same target, or of another one that started recently. The first
// loopLimit runs for each target start at once, the next ones after increasing quiet times. Then
// there is a warning and no further run, until a change happens while nothing runs. A target that
// is still running then (a server) is not restarted at once, but after it has run for some time,
// because it may end by itself. No change is lost.
const (
	loopLimit   = 5
	loopWaits   = 4
	quiet       = 300 * time.Millisecond
	maxCauseAge = 2 * time.Second // a run of at most this age may have made a change
)

// suspect returns the target that may have made a change just now: of the active ones that started
// recently, the one at the end of the longest series of runs; nil if there is none.
func (w *Watcher) suspect() (suspect *target) {
	for _, t := range w.targets {
		if t.active() && time.Since(t.started) <= maxCauseAge && (suspect == nil || t.followed > suspect.followed) {
			suspect = t
		}
	}
	return suspect
}

// follow schedules a run for a change of paths that may come from a run which was itself
// number followed in a row.
func (w *Watcher) follow(ctx context.Context, t *target, paths []string, followed int) {
	n := followed + 1 - loopLimit*len(w.targets)
	switch {
	case t.active() && (n > 0 || t.waits()):
		t.queued = paths
		w.wait(t, max(quiet, maxCauseAge-time.Since(t.started)))
		return
	case t.waits():
		w.wait(t, t.wait)
		return
	}
	t.followed = followed + 1
	switch {
	case n <= 0:
		w.runAgain(ctx, t)
	case n <= loopWaits:
		w.wait(t, quiet<<n)
	case n == loopWaits+1:
		w.warn("task " + t.call.Name + ": " + strings.Join(w.shown(paths[:min(1, len(paths))]), "") +
			", one of its sources, changes each time it runs; it is not run again for that. Declare files that it, or another task, writes in generates, or exclude them from sources")
	}
}

// active reports whether the target's run, or services that it left, may change files.
func (t *target) active() bool { return t.run != nil || t.serves }

// waits reports whether t will run after a quiet time.
func (t *target) waits() bool { return !t.due.IsZero() }

// wait schedules a run of t for when nothing has changed for d, counted from now.
func (w *Watcher) wait(t *target, d time.Duration) {
	t.wait, t.due = d, time.Now().Add(d)
	later(w, d, w.due, t)
}

// later sends v to the loop of w after d, unless the loop has ended by then.
func later[T any](w *Watcher, d time.Duration, loop chan<- T, v T) {
	w.clock.AfterFunc(d, func() {
		select {
		case loop <- v:
		case <-w.done:
		}
	})
}

// wake runs a target whose quiet time is over. It does nothing if the time was extended or
// the wait was cancelled.
func (w *Watcher) wake(ctx context.Context, t *target) {
	if !t.waits() || time.Now().Before(t.due) {
		return
	}
	t.due = time.Time{}
	if !t.stopping {
		w.runAgain(ctx, t)
	}
}
