package watch

import (
	"context"
	"strings"
	"time"
)

// A task that changes what it is made from would run for ever, and cannot be told from
// a user who saves while it runs; nor can tasks that change what each other is made from.
// So it is counted how many runs have followed each other, each for a change that came
// while the one before it ran: of the same target, or of another one that had begun not long
// before. The first loopLimit for each target follow at once, the next ones after longer and
// longer times without a change, then, with a warning, none: until there is another
// change, one that comes when nothing runs. What goes on when a change comes, a server, is
// not restarted at once any more, but when it has run for some time: by then it may have
// ended. No change is lost by that.
const (
	loopLimit = 5
	loopWaits = 4
	quiet     = 300 * time.Millisecond
	young     = 2 * time.Second // a run that began so long ago, or less, may have made a change
)

// suspect returns the target that a change now may come from: of those that run and have
// begun not long ago the one that has followed most runs; or nil.
func (w *Watcher) suspect() (suspect *target) {
	for _, t := range w.targets {
		if t.run != nil && time.Since(t.started) <= young && (suspect == nil || t.followed > suspect.followed) {
			suspect = t
		}
	}
	return suspect
}

// follow has a target run for a change of paths that may come from a run which has followed
// so many others.
func (w *Watcher) follow(ctx context.Context, t *target, paths []string, followed int) {
	n := followed + 1 - loopLimit*len(w.targets)
	switch {
	case t.run != nil && (n > 0 || t.waits()):
		t.queued = paths
		w.wait(t, max(quiet, young-time.Since(t.started)))
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
			", which it is made from, changes each time it runs; it is not run again for that. Declare what it, or another task, writes as generates, or exclude it from sources")
	}
}

// waits reports whether t is to run after some time without a change.
func (t *target) waits() bool { return !t.due.IsZero() }

// wait has a target run, or run again, after some time without a change: from now on.
func (w *Watcher) wait(t *target, d time.Duration) {
	t.wait, t.due = d, time.Now().Add(d)
	w.clock.AfterFunc(d, func() {
		select {
		case w.due <- t:
		case <-w.done:
		}
	})
}

// wake runs a target that has waited, unless it waits for longer, or no more.
func (w *Watcher) wake(ctx context.Context, t *target) {
	if !t.waits() || time.Now().Before(t.due) {
		return
	}
	t.due = time.Time{}
	if !t.stopping {
		w.runAgain(ctx, t)
	}
}
