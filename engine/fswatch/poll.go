package fswatch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// pollEvery is how often directories that the system does not watch are polled.
const pollEvery = 500 * time.Millisecond

// watch has the system or the poller watch a directory.
func (w *Watcher) watch(dir string) {
	if w.system != nil && w.o.Poll == 0 && !remote(dir) {
		err := w.system.Add(dir)
		if err == nil {
			delete(w.polled, dir)
			return
		}
		why := describe(err)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !w.warned[why] {
			w.warned[why] = true
			w.o.Warn("cannot watch " + dir + ": " + why + "; such directories are checked every " + w.interval().String())
		}
	}
	if w.polled[dir] == nil {
		w.polled[dir] = list(dir)
	}
	if w.poller == nil && !w.closed {
		w.poller = w.o.Clock.AfterFunc(w.interval(), w.poll)
	}
}

// interval is the time between two polls.
func (w *Watcher) interval() time.Duration { return cmp.Or(w.o.Poll, pollEvery) }

// poll reports the changes in the directories that the system does not watch.
func (w *Watcher) poll() {
	w.mu.Lock()
	var changed []string
	for dir, old := range w.polled {
		now := list(dir)
		changed = append(changed, old.differences(dir, now)...)
		w.polled[dir] = now
	}
	w.verify()
	if !w.closed {
		w.poller = w.o.Clock.AfterFunc(w.interval(), w.poll)
	}
	w.mu.Unlock()
	for _, path := range changed {
		w.changed(path)
	}
}

// listing is the content of a directory at some time.
type listing map[string]fileStat

type fileStat struct {
	size  int64
	mtime time.Time
	mode  fs.FileMode
}

func list(dir string) listing {
	l := listing{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			l[e.Name()] = fileStat{info.Size(), info.ModTime(), info.Mode()}
		}
	}
	return l
}

// differences returns the paths that differ between l and now.
func (l listing) differences(dir string, now listing) (paths []string) {
	for name, st := range now {
		if old, ok := l[name]; !ok || old != st && !st.mode.IsDir() {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	for name := range l {
		if _, ok := now[name]; !ok {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// describe explains why a directory cannot be watched, and what the user can do.
func describe(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the limit of watched directories is reached (raise it: sysctl fs.inotify.max_user_watches=1048576)"
	case errors.Is(err, syscall.EMFILE):
		return "the limit of watchers is reached (raise it: sysctl fs.inotify.max_user_instances=1024)"
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Sprint(err)
}
