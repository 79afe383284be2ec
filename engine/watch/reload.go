package watch

import (
	"context"
	"maps"
	"path/filepath"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema"
)

// reload loads the workflow again. If that fails, it reports the error, keeps the old
// workflow and returns false.
func (w *Watcher) reload(ctx context.Context) bool {
	if w.o.Load == nil {
		return true
	}
	loaded, err := w.o.Load(ctx)
	if err != nil {
		w.failed(ctx, err)
		return false
	}
	old := w.workflow
	w.workflow = loaded
	w.prepare(ctx)
	names := w.names()
	for _, t := range w.once {
		names = append(names, t.call.Name)
	}
	used := loaded.Reach(names...)
	w.services.Retain(func(task string) bool { return used[task] })
	for _, t := range w.targets {
		if !same(old, loaded, t.call.Name) {
			w.emit(&event.WatchTriggered{Time: time.Now(), Paths: []string{filepath.Base(loaded.File.Path)}, Tasks: []string{t.call.Name}})
			w.trigger(ctx, t, nil)
		}
	}
	return true
}

// same reports whether a task is identical in two workflows, with everything that it needs and
// calls.
func same(v, w *schema.Workflow, name string) bool {
	reached := v.Reach(name)
	if !maps.Equal(reached, w.Reach(name)) {
		return false
	}
	for name := range reached {
		a, _, _ := v.Lookup(name)
		b, _, _ := w.Lookup(name)
		if !schema.Same(v, a, w, b) {
			return false
		}
	}
	return true
}
