// Package watch turns changes of files into batches of paths. It watches
// directories, never files, so that it does not matter how an editor saves; a
// directory that appears is watched, and what is in it already is reported. It knows
// nothing of tasks, and does not look at contents: whoever gets a path looks whether
// anything is different there.
//
// Where the system cannot tell of changes, or refuses to for so many directories,
// they are looked at from time to time instead.
package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Dir is a directory to watch.
type Dir struct {
	Path string // absolute and clean
	Deep bool   // with all that is below it
}

// Batch is what has changed in a short time.
type Batch struct {
	Paths []string // absolute; of directories and files
	// Lost tells that changes may have gone unnoticed: look at everything.
	Lost bool
}

// Options configure a Watcher. The zero value is usable.
type Options struct {
	Interval time.Duration // how long a batch stays open after a change; 0: see Batcher
	Poll     time.Duration // look at everything so often, and do not ask the system; 0: ask
	Ignore   func(path string) bool
	Clock    *clock.Clock
	// System is asked for changes; nil is the operating system.
	System System
	// Warn is told, once each, of what makes watching slower.
	Warn func(problem string)
}

// System tells of changes in directories.
type System interface {
	// Add watches one directory, not what is below it.
	Add(dir string) error
	Remove(dir string)
	// Events has the paths that changed. An empty path tells that some were lost.
	Events() <-chan string
	Close() error
}

// pollEvery is how often directories are looked at that the system does not watch.
const pollEvery = 500 * time.Millisecond

// Watcher watches directories. Its methods are safe for concurrent use.
type Watcher struct {
	o       Options
	batcher *Batcher
	end     chan struct{}
	ended   sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	system System
	dirs   map[string]bool // that are watched; true if all below them are, too
	polled map[string]*listing
	poller *clock.Timer
	warned map[string]bool
	closed bool
}

// New returns a Watcher of nothing.
func New(o Options) (*Watcher, error) {
	if o.Ignore == nil {
		o.Ignore = func(string) bool { return false }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	w := &Watcher{o: o, end: make(chan struct{}), dirs: map[string]bool{}, polled: map[string]*listing{}, warned: map[string]bool{}}
	w.batcher = NewBatcher(o.Interval, o.Clock)
	switch {
	case o.System != nil:
		w.system = o.System
	case o.Poll == 0:
		system, err := newSystem()
		if err != nil {
			w.o.Warn("the system does not tell of changes (" + err.Error() + "); looking every " + pollEvery.String())
		} else {
			w.system = system
		}
	}
	if w.system != nil {
		w.ended.Go(w.listen)
	}
	return w, nil
}

// Batches has the batches. It must be read.
func (w *Watcher) Batches() <-chan Batch { return w.batcher.Batches() }

// Watch watches dirs, and only these from now on. What is not there is waited for in
// the directory above it.
func (w *Watcher) Watch(dirs []Dir) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.dirs
	w.dirs = map[string]bool{}
	for _, d := range dirs {
		w.add(d, before, nil)
	}
	for dir := range before {
		if _, still := w.dirs[dir]; still {
			continue
		}
		delete(w.polled, dir)
		if w.system != nil {
			w.system.Remove(dir)
		}
	}
}

// add watches a directory, and with Deep those below it. What is new is reported to
// found, if that is set. w.mu is held.
func (w *Watcher) add(d Dir, before map[string]bool, found func(path string)) {
	for {
		st, err := os.Stat(d.Path)
		if err == nil && st.IsDir() {
			break
		}
		parent := filepath.Dir(d.Path)
		if parent == d.Path {
			return
		}
		d = Dir{Path: parent} // it will be made there
	}
	if deep, known := w.dirs[d.Path]; known && (deep || !d.Deep) {
		return
	}
	w.dirs[d.Path] = d.Deep
	if _, known := before[d.Path]; !known {
		w.watch(d.Path)
	}
	if !d.Deep && found == nil {
		return
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(d.Path, e.Name())
		switch {
		case w.o.Ignore(path):
		case e.IsDir() && d.Deep:
			w.add(Dir{Path: path, Deep: true}, before, found)
		case found != nil:
			found(path)
		}
	}
}

// watch has the system, or the poller, tell of changes in a directory.
func (w *Watcher) watch(dir string) {
	if w.system != nil && w.o.Poll == 0 && !remote(dir) {
		err := w.system.Add(dir)
		if err == nil {
			return
		}
		if !os.IsNotExist(err) {
			w.warn("cannot watch "+dir+": "+describe(err)+"; such directories are looked at every "+w.interval().String(), describe(err))
		}
	}
	w.polled[dir] = list(dir)
	if w.poller == nil && !w.closed {
		w.poller = w.o.Clock.AfterFunc(w.interval(), w.poll)
	}
}

func (w *Watcher) warn(problem, key string) {
	if !w.warned[key] {
		w.warned[key] = true
		w.o.Warn(problem)
	}
}

func (w *Watcher) interval() time.Duration {
	if w.o.Poll > 0 {
		return w.o.Poll
	}
	return pollEvery
}

// listen takes what the system tells.
func (w *Watcher) listen() {
	for {
		select {
		case path, ok := <-w.system.Events():
			if !ok {
				return
			}
			w.changed(path)
		case <-w.end:
			return
		}
	}
}

// changed notes a path, and watches it if it is a directory that has appeared.
func (w *Watcher) changed(path string) {
	if path == "" {
		w.lost()
		return
	}
	if w.o.Ignore(path) {
		return
	}
	w.batcher.Add(path)
	st, err := os.Lstat(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, watched := w.dirs[path]
	switch {
	case err != nil:
		if watched {
			delete(w.dirs, path)
			delete(w.polled, path)
			if w.system != nil {
				w.system.Remove(path)
			}
		}
	case st.IsDir() && !watched && w.dirs[filepath.Dir(path)]:
		// Its first files may be there already.
		w.add(Dir{Path: path, Deep: true}, nil, w.batcher.Add)
	}
}

// lost looks for directories that have appeared without a word.
func (w *Watcher) lost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.dirs
	w.dirs = map[string]bool{}
	for dir, deep := range before {
		w.add(Dir{Path: dir, Deep: deep}, before, nil)
	}
	w.batcher.Lost()
}

// poll looks at the directories that the system does not watch.
func (w *Watcher) poll() {
	w.mu.Lock()
	var changed []string
	for dir, old := range w.polled {
		now := list(dir)
		changed = append(changed, old.differences(dir, now)...)
		w.polled[dir] = now
	}
	if !w.closed {
		w.poller = w.o.Clock.AfterFunc(w.interval(), w.poll)
	}
	w.mu.Unlock()
	for _, path := range changed {
		w.changed(path)
	}
}

// Close ends the watching.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.closed = true
	if w.poller != nil {
		w.poller.Stop()
	}
	w.mu.Unlock()
	close(w.end)
	w.ended.Wait()
	if w.system != nil {
		w.system.Close()
	}
	w.batcher.Close()
}

// listing is a directory as it was.
type listing struct{ files map[string]fileStat }

type fileStat struct {
	size  int64
	mtime time.Time
	mode  fs.FileMode
}

func list(dir string) *listing {
	l := &listing{files: map[string]fileStat{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return l
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			l.files[e.Name()] = fileStat{info.Size(), info.ModTime(), info.Mode()}
		}
	}
	return l
}

// differences returns the paths that are not what they were.
func (l *listing) differences(dir string, now *listing) (paths []string) {
	for name, st := range now.files {
		if old, ok := l.files[name]; !ok || old != st && !st.mode.IsDir() {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	for name := range l.files {
		if _, ok := now.files[name]; !ok {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}
