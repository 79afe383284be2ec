package watch

import (
	"context"
	"maps"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
)

// The system does not report every change: not what a program writes through mmap before it
// closes the file, and not the renaming of a directory further up. So the watcher regularly
// checks the times of the files that changed most recently, and whether the watched
// directories are still where they were.
const (
	recheckEvery = 3 * time.Second
	mostRecent   = 16
	mostSeeded   = 4096 // with more sources than this, recent starts empty
)

// stamp is what is known about a file without reading it.
type stamp struct {
	size     int64
	modified time.Time
}

// disk is the [files] that the runs use as well.
type disk struct{ tree *glob.Tree }

func (d *disk) Digests(ctx context.Context, dir string, patterns []glob.Pattern, gitignore bool) (map[string]glob.Digest, error) {
	return d.tree.Digests(ctx, dir, patterns, gitignore)
}

func (d *disk) DigestOf(ctx context.Context, path string) glob.Digest {
	return d.tree.DigestOf(ctx, path)
}
func (d *disk) SetContent(path string, digest glob.Digest) { d.tree.SetContent(path, digest) }
func (d *disk) MarkChanged(path string)                    { d.tree.MarkChanged(path) }
func (d *disk) MarkDirty()                                 { d.tree.MarkDirty() }

func (*disk) Stat(path string) (s stamp, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}, false
	}
	return stamp{st.Size(), st.ModTime()}, true
}

// recent is a source that changed recently.
type recent struct {
	path string
	stamp
}

// remember adds a source to those that changed recently.
func (w *Watcher) remember(path string) {
	w.recent = slices.DeleteFunc(w.recent, func(r recent) bool { return r.path == path })
	st, ok := w.files.Stat(path)
	if !ok {
		return // it no longer exists
	}
	at := sort.Search(len(w.recent), func(i int) bool { return !st.modified.Before(w.recent[i].modified) })
	w.recent = append(w.recent, recent{})
	copy(w.recent[at+1:], w.recent[at:])
	if w.recent[at] = (recent{path, st}); len(w.recent) > mostRecent {
		w.recent = w.recent[:mostRecent]
	}
}

// rememberSources fills recent from all sources.
func (w *Watcher) rememberSources() {
	var paths []string
	for _, t := range w.targets {
		for _, s := range t.sources {
			paths = slices.AppendSeq(paths, maps.Keys(s.contents))
		}
	}
	if len(paths) > mostSeeded {
		return
	}
	for _, path := range paths {
		w.remember(path)
	}
}

// recheck looks for changes that the system did not report.
func (w *Watcher) recheck(ctx context.Context) {
	w.changes.Check()
	var changed []string
	for _, r := range w.recent {
		if st, ok := w.files.Stat(r.path); !ok || st.size != r.size || !st.modified.Equal(r.modified) {
			changed = append(changed, r.path)
		}
	}
	for _, path := range changed {
		w.remember(path)
	}
	if changed != nil {
		w.changed(ctx, fswatch.Batch{Paths: changed})
	}
	w.recheckLater()
}

func (w *Watcher) recheckLater() { later(w, recheckEvery, w.rechecks, struct{}{}) }
