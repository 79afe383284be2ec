// Package fswatch turns changes of files into batches of paths. It watches
// directories, never files, so that it does not matter how an editor saves; a
// directory that appears is watched, and what is in it already is reported. One that is
// to be watched and is not there, or not any more, is waited for. Links are followed: what
// changes at their end is reported by the path of the link. It knows nothing of tasks, and
// does not look at contents: whoever gets a path looks whether anything is different
// there.
//
// Where the system cannot tell of changes, or refuses to for so many directories,
// they are looked at from time to time instead.
package fswatch

import (
	"io/fs"
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
	// Add watches one directory, not what is below it. It may be watched already, by this
	// path or another one; changes are told by each.
	Add(dir string) error
	Remove(dir string)
	// Watching reports whether dir is watched still: one that was removed or renamed is
	// not.
	Watching(dir string) bool
	// Events has the paths that changed. An empty path tells that some were lost.
	Events() <-chan string
	Close() error
}

// Watcher watches directories. Its methods are safe for concurrent use.
type Watcher struct {
	o       Options
	batcher *Batcher
	end     chan struct{}
	ended   sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	system System
	wanted []Dir
	dirs   map[string]*dir // that are watched
	// Paths on the ways of links, to these.
	links map[string][]string
	// Directories that are wanted, or on the way to something, as they were found; nil: not
	// there.
	spots    map[string]fs.FileInfo
	dangling map[string]bool // links of which the end is nowhere
	polled   map[string]listing
	poller   *clock.Timer
	warned   map[string]bool
	closed   bool
}

// New returns a Watcher of nothing.
func New(o Options) (*Watcher, error) {
	if o.Ignore == nil {
		o.Ignore = func(string) bool { return false }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	w := &Watcher{o: o, end: make(chan struct{}), dirs: map[string]*dir{}, polled: map[string]listing{}, warned: map[string]bool{}}
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

// Watch watches dirs, and only these from now on. What is not there is waited for.
func (w *Watcher) Watch(dirs []Dir) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = dirs
	w.rebuild()
}

// Check looks whether what is watched is where it was. The system does not tell of a
// directory far above that is renamed, nor of the end of a link that appears.
func (w *Watcher) Check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verify()
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

// changed notes a path.
func (w *Watcher) changed(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if path == "" {
		w.lost()
		return
	}
	for _, link := range w.links[path] {
		w.note(link)
	}
	w.note(path)
}

// lost watches all directories again: any of them may be another one.
func (w *Watcher) lost() {
	w.rebuild()
	w.batcher.Lost()
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
