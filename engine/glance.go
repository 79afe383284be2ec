package engine

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/fswatch"
)

// The system does not tell of everything: not of what a program writes through memory
// (mmap) before it closes the file, and not of a directory far above that is renamed. So
// from time to time the files that have changed last are looked at, by their times, and
// whether what is watched is where it was.
const (
	glanceEvery = 3 * time.Second
	mostRecent  = 16
	mostSeeded  = 4096 // of so many sources it is looked at the start which have changed last
)

// recent is a source that has changed not long ago.
type recent struct {
	path  string
	size  int64
	mtime time.Time
}

// remember notes a source among those that have changed last.
func (v *watching) remember(path string) {
	v.recent = slices.DeleteFunc(v.recent, func(r recent) bool { return r.path == path })
	st, err := os.Stat(path)
	if err != nil {
		return // it is gone
	}
	at, _ := slices.BinarySearchFunc(v.recent, st.ModTime(), func(r recent, t time.Time) int { return t.Compare(r.mtime) })
	if v.recent = slices.Insert(v.recent, at, recent{path, st.Size(), st.ModTime()}); len(v.recent) > mostRecent {
		v.recent = v.recent[:mostRecent]
	}
}

// seed remembers which of the sources have changed last.
func (v *watching) seed() {
	n := 0
	for _, l := range v.lanes {
		for _, s := range l.watched {
			if n += len(s.files); n > mostSeeded {
				return
			}
		}
	}
	for _, l := range v.lanes {
		for _, s := range l.watched {
			for path := range s.files {
				v.remember(path)
			}
		}
	}
}

// glance looks at what the system may not have told of.
func (v *watching) glance(ctx context.Context) {
	v.watcher.Check()
	var changed []string
	for _, r := range v.recent {
		if st, err := os.Stat(r.path); err != nil || st.Size() != r.size || !st.ModTime().Equal(r.mtime) {
			changed = append(changed, r.path)
		}
	}
	for _, path := range changed {
		v.remember(path)
	}
	if changed != nil {
		v.changed(ctx, fswatch.Batch{Paths: changed})
	}
	v.glanceLater()
}

// glanceLater has glance called after some time.
func (v *watching) glanceLater() {
	v.clock.AfterFunc(glanceEvery, func() {
		select {
		case v.glances <- struct{}{}:
		case <-v.unserved:
		}
	})
}
