package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sharedcache"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// shares reports whether a run of w uses a shared cache.
func (a *app) shares(w *schema.Workflow) bool {
	o := &a.opts
	return w.Cache != nil && w.Cache.Remote != nil && !o.noCache && !o.dry && !o.remote.Offline && (!o.inspects() || o.cache == "push")
}

// useShared has a run of w use a shared cache, if there is one for it.
func (r *runner) useShared(w *schema.Workflow, run string) error {
	if !r.shares(w) {
		return nil
	}
	if r.opts.cache != "push" { // which stores what was there before
		dir, err := r.serverDir()
		if err != nil {
			return err
		}
		r.options.CacheDir = dir
	}
	q := connection(w.Cache.Remote, r.options.CacheDir, run)
	q.Push = r.opts.cache == "push" || r.mayPush(w)
	r.shared = sharedcache.New(r.secondProgram(w.Dir), q)
	r.options.Shared, r.options.Push = r.shared, r.pushes(w)
	return nil
}

// pushes reports whether results of tasks that do not say it are stored in the shared cache.
func (a *app) pushes(w *schema.Workflow) bool {
	switch a.env("WEFT_CACHE_PUSH") {
	case "1":
		return true
	case "0":
		return false
	}
	return w.Cache.Push == schema.True
}

// mayPush reports whether results of any task are stored in the shared cache.
func (a *app) mayPush(w *schema.Workflow) bool {
	return a.pushes(w) || slices.ContainsFunc(w.Tasks, func(t *schema.Task) bool { return t.Cache != nil && t.Cache.Push == schema.True })
}

// How long the end of a run waits until results are stored, and when it says so.
const (
	flushLimit = 30 * time.Second
	flushQuiet = time.Second
)

// pushCached handles --cache=push: it stores in the shared cache what the local one has of the tasks
// as they are now, and of their needs.
func (r *runner) pushCached(ctx context.Context, calls []plan.Call) error {
	if r.shared == nil {
		return fmt.Errorf("%s: --cache=push: no shared cache is used: set cache.remote in the Taskfile, or WEFT_CACHE_REMOTE", r.name)
	}
	n, without, err := r.engine.Push(ctx, calls)
	if err != nil {
		return err
	}
	for _, task := range without {
		r.say(r.err, report.Yellow, fmt.Sprintf("the cache has no result of task %q as it is now", task))
	}
	t := r.shared.Flush(ctx, time.Hour) // a signal ends it
	if t == nil || int(t.Pushed) < n {
		return fmt.Errorf("%s: --cache=push: not every result was stored", r.name)
	}
	return nil
}

// flushShared waits until the results of the run are stored, and shows what the shared cache was
// good for. A signal ends the waiting.
func (r *runner) flushShared(ctx context.Context) {
	if r.shared == nil {
		return
	}
	ctx, done := r.engine.SignalContext(context.WithoutCancel(ctx))
	defer done(nil)
	say := func(c report.Color, format string, args ...any) {
		if !r.dropIn() {
			r.say(r.err, c, "cache: "+diag.Printable(fmt.Sprintf(format, args...)))
		}
	}
	t := r.shared.Flush(ctx, flushQuiet)
	if t != nil && t.Pending > 0 && ctx.Err() == nil {
		say(report.Default, "storing %s, at most %v more (Ctrl-C stops that)", count(int(t.Pending), "result"), flushLimit)
		t = r.shared.Flush(ctx, flushLimit)
	}
	for _, text := range r.shared.Warnings() {
		say(report.Yellow, "%s", text)
	}
	if t == nil {
		return
	}
	if t.Pending > 0 {
		say(report.Yellow, "%s not stored", count(int(t.Pending), "result"))
	}
	if !r.opts.silent {
		misses := "misses"
		if t.Misses == 1 {
			misses = "miss"
		}
		say(report.Default, "%s, %d %s, %d pushed, up %s, down %s", count(int(t.Hits), "hit"), t.Misses, misses, t.Pushed, byteSize(t.Up), byteSize(t.Down))
	}
}
