package watch

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
)

// The system does not tell of everything: not of what a program writes through memory
// (mmap) before it closes the file, and not of a directory far above that is renamed. So
// from time to time the files that have changed last are looked at, by their times, and
// whether what is watched is where it was.
const (
	recheckEvery = 3 * time.Second
	mostRecent   = 16
	mostSeeded   = 4096 // of so many sources it is looked at the start which have changed last
)

// stamp is what a file looks like without being read.
type stamp struct {
	size     int64
	modified time.Time
}

// disk is files as the runs see them, too.
type disk struct{ *glob.Tree }

func (disk) Stat(path string) (s stamp, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}, false
	}
	return stamp{st.Size(), st.ModTime()}, true
}

// recent is a source that has changed not long ago.
type recent struct {
	path string
	stamp
}

// remember notes a source among those that have changed last.
func (w *Watcher) remember(path string) {
	w.recent = slices.DeleteFunc(w.recent, func(r recent) bool { return r.path == path })
	st, ok := w.files.Stat(path)
	if !ok {
		return // it is gone
	}
	at, _ := slices.BinarySearchFunc(w.recent, st.modified, func(r recent, t time.Time) int { return t.Compare(r.modified) })
	if w.recent = slices.Insert(w.recent, at, recent{path, st}); len(w.recent) > mostRecent {
		w.recent = w.recent[:mostRecent]
	}
}

// seed remembers which of the sources have changed last.
func (w *Watcher) seed() {
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

// recheck looks at what the system may not have told of.
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

// recheckLater has recheck called after some time.
func (w *Watcher) recheckLater() {
	w.clock.AfterFunc(recheckEvery, func() {
		select {
		case w.rechecks <- struct{}{}:
		case <-w.done:
		}
	})
}
