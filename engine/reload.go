package engine

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema"
)

// reload loads the workflow again; what cannot be loaded is told, and changes nothing.
func (v *watching) reload(ctx context.Context) bool {
	if v.o.Load == nil {
		return true
	}
	w, err := v.o.Load(ctx)
	if err != nil {
		v.emit(&event.WatchFailed{Time: time.Now(), Err: err})
		return false
	}
	old := v.workflow
	v.workflow = w
	before := map[*lane]map[string]map[string]glob.Digest{}
	for _, l := range v.lanes {
		before[l] = map[string]map[string]glob.Digest{}
		for _, s := range l.watched {
			before[l][s.label] = s.files
		}
	}
	v.prepare(ctx)
	for _, l := range v.lanes {
		// What has changed in a file that was not looked at meanwhile is seen below.
		for _, s := range l.watched {
			if files := before[l][s.label]; files != nil {
				s.files = files
			}
		}
		if different(old, w, l.call.Name) {
			v.emit(&event.WatchTriggered{Time: time.Now(), Paths: []string{filepath.Base(w.File.Path)}, Tasks: []string{l.call.Name}})
			v.trigger(ctx, l, nil)
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
