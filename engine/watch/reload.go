package watch

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema"
)

// reload loads the workflow again; what cannot be loaded is told, and changes nothing.
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
	for _, t := range w.targets {
		if different(old, loaded, t.call.Name) {
			w.tell(&event.WatchTriggered{Time: time.Now(), Paths: []string{filepath.Base(loaded.File.Path)}, Tasks: []string{t.call.Name}})
			w.trigger(ctx, t, nil)
		}
	}
	return true
}

// different reports whether a task, or one it needs or calls, says something else in
// two workflows.
func different(a, b *schema.Workflow, name string) bool {
	return !slices.Equal(meaning(a, name), meaning(b, name))
}

// meaning is what a task and all it needs and calls say.
func meaning(w *schema.Workflow, name string) []string {
	var all []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		t, _, err := w.Lookup(name)
		if err != nil || seen[t.Name] {
			return
		}
		seen[t.Name] = true
		all = append(all, t.Name+"\x00"+schema.Describe(w, t))
		for _, n := range schema.Names(t) {
			visit(n)
		}
	}
	visit(name)
	slices.Sort(all)
	return all
}
