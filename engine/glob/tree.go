package glob

import (
	"path"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema/diag"
	"mvdan.cc/sh/v3/expand"
)

// Tree finds files. Its callers share one listing of each directory and one stat of each file,
// until [Tree.MarkDirty] is called because a command may have changed something. It is safe for
// concurrent use.
type Tree struct {
	// Warn is called once for each entry that patterns have to skip, from any
	// goroutine. It may be nil, and is set before the Tree is used.
	Warn func(*diag.Diagnostic)

	maxThroughLinks int // see there

	names map[string]*directory // by prefix, see Names; nil: those of the file system

	recall recall

	environ func() expand.Environ
	age     atomic.Uint64
	helpers chan struct{} // tokens: goroutines that may help a walk

	mu        sync.Mutex // guards the fields below
	slots     map[string]*slot
	hidden    string // the argument of Hide, with a slash
	ignores   ignores
	contents  map[string]Content   // of files that are in no listing
	looked    map[string]looked    // by path; see Files
	warned    map[string]bool      // paths
	sameTimes map[string]sameTimes // by path; see SetContent

	anySameTimes atomic.Bool // whether sameTimes has any
}

// NewTree returns a Tree; environ is for variables in patterns.
func NewTree(environ []string) *Tree {
	t := &Tree{maxThroughLinks: maxThroughLinks, slots: map[string]*slot{},
		environ: sync.OnceValue(func() expand.Environ { return expand.ListEnviron(environ...) }),
		// The calling goroutine walks, too.
		helpers: make(chan struct{}, min(runtime.GOMAXPROCS(0), 8)-1)}
	t.age.Store(1)
	return t
}

// MarkDirty reports that files may have been made, changed or removed. It costs nothing: the next
// search stats again what it needs.
func (t *Tree) MarkDirty() { t.age.Add(1) }

// Generation counts how often files may have been made, changed or removed: as long as it is the
// same, the files are unchanged.
func (t *Tree) Generation() uint64 { return t.age.Load() }

// MarkChanged is MarkDirty for one path.
func (t *Tree) MarkChanged(name string) {
	t.forget(path.Dir(name) + "/")
	t.forget(name + "/")
	t.mu.Lock()
	t.looked = nil
	t.mu.Unlock()
}

// forget marks the listing of a directory as out of date.
func (t *Tree) forget(prefix string) {
	t.mu.Lock()
	s := t.slots[prefix]
	t.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	s.stale = true
	s.mu.Unlock()
}

// Hide makes dir, a directory that weft itself writes to, invisible to patterns:
// otherwise a task whose sources match everything would run because it has run.
func (t *Tree) Hide(dir string) {
	t.mu.Lock()
	t.hidden = dir + "/"
	t.mu.Unlock()
}

// list returns the directory with that prefix (a path that ends with a slash). It determines the
// properties of the entries that want selects, of all if want is nil, and always of links. With
// read, it reads the small files among them.
func (t *Tree) list(prefix string, want func(string) bool, read bool) *directory {
	if t.names != nil {
		return t.listNames(prefix)
	}
	t.mu.Lock()
	s := t.slots[prefix]
	if s == nil {
		s = &slot{}
		t.slots[prefix] = s
	}
	hidden := t.hidden
	t.mu.Unlock()

	s.mu.Lock()
	age := t.age.Load()
	d, fd := s.d, -1
	if d == nil || d.age != age || s.stale {
		d, fd = t.relist(prefix, d, age, hidden)
		s.d, s.stale = d, false
	}
	s.mu.Unlock()
	d.look(fd, want, read)
	if t.anySameTimes.Load() {
		t.correct(d)
	}
	return d
}
