// Package fswatch turns changes of files into batches of paths. It watches directories, never
// files, so that it does not matter how an editor saves. It watches new directories too, and
// reports the files that they contain already. A wanted directory that does not exist is
// watched once it does. A change of the target of a link is reported with the path of the link.
// The package knows nothing of tasks and does not read files: the caller finds out whether
// the content has changed.
//
// Directories that the system cannot watch, or refuses to because there are too many, are
// polled instead.
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
	Deep bool   // including everything below it
}

// Batch is the changes of a short time.
type Batch struct {
	Paths []string // absolute; of directories and files
	Lost  bool     // other changes may have been missed: look at everything
}

// Options configure a Watcher. The zero value is usable.
type Options struct {
	Interval time.Duration // how long a batch stays open after a change; 0: see Batcher
	Poll     time.Duration // poll everything at this interval; 0: use the system's events
	Ignore   func(path string) bool
	Clock    *clock.Clock
	System   System               // nil: the operating system
	Warn     func(problem string) // is called once for each reason that makes watching slower
}

// System reports changes in directories.
type System interface {
	// Add watches a directory, but not those below it. The directory may be watched already,
	// by this path or another one; changes are reported for each path.
	Add(dir string) error
	Remove(dir string)
	Watching(dir string) bool // false once dir was removed or renamed
	Events() <-chan string    // paths that changed; "" means that some were lost
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
	dirs   map[string]*dir     // that are watched
	links  map[string][]string // the links that lead to a path or through it
	// The directories that are wanted or in transit, as they were when last looked at; nil if
	// there was none.
	seen     map[string]fs.FileInfo
	dangling map[string]bool // links whose target does not exist
	polled   map[string]listing
	poller   *clock.Timer
	warned   map[string]bool
	closed   bool
}

// New returns a Watcher that watches nothing yet.
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
			w.o.Warn("the system does not report changes (" + err.Error() + "); looking every " + pollEvery.String())
		} else {
			w.system = system
		}
	}
	if w.system != nil {
		w.ended.Go(w.listen)
	}
	return w, nil
}

// Batches delivers the batches.
func (w *Watcher) Batches() <-chan Batch { return w.batcher.Batches() }

// Watch watches dirs, and only these from now on. They need not exist yet. If one that was watched
// before has been replaced unnoticed, a batch that is Lost follows.
func (w *Watcher) Watch(dirs []Dir) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = dirs
	if w.rebuild() {
		w.batcher.Lost()
	}
}

// Check looks whether the watched directories are still where they were. The system does not
// report that a directory further up was renamed, or that the target of a link was created.
func (w *Watcher) Check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verify()
}

// listen handles the events of the system.
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

// changed handles a change at path, and at the links that lead there.
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

// lost watches all directories again: any of them may have been replaced.
func (w *Watcher) lost() {
	w.rebuild()
	w.batcher.Lost()
}

// Close stops watching.
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
