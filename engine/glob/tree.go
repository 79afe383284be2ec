package glob

import (
	"path"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema/diag"
	"mvdan.cc/sh/v3/expand"
)

// Tree finds files. Its callers share one listing of each directory and one look
// at each file, until [Tree.Dirty] says that a command may have changed something.
// It is safe for concurrent use.
type Tree struct {
	// Warn is called once for each entry that patterns have to leave out, from any
	// goroutine. It may be nil, and is set before the Tree is used.
	Warn func(*diag.Diagnostic)

	maxThroughLinks int // see there

	environ func() expand.Environ
	age     atomic.Uint64
	helpers chan struct{} // tokens: goroutines that may help a walk

	mu        sync.Mutex // guards the fields below
	slots     map[string]*slot
	hidden    string // as Hide has it, with a slash
	ignores   ignores
	contents  map[string]Content   // of files that stand in no listing
	warned    map[string]bool      // paths
	sameTimes map[string]sameTimes // by path; see SetContent

	anySameTimes atomic.Bool // whether sameTimes has any
}

// NewTree returns a Tree; environ is for variables in patterns.
func NewTree(environ []string) *Tree {
	t := &Tree{maxThroughLinks: maxThroughLinks, slots: map[string]*slot{},
		environ: sync.OnceValue(func() expand.Environ { return expand.ListEnviron(environ...) }),
		// The goroutine that asks is there already.
		helpers: make(chan struct{}, min(runtime.GOMAXPROCS(0), 8)-1)}
	t.age.Store(1)
	return t
}

// Dirty says that files may have been made, changed or removed. It costs nothing:
// the next search looks again at what it needs.
func (t *Tree) Dirty() { t.age.Add(1) }

// Changed is Dirty for one path: something may have been made, changed or removed
// there.
func (t *Tree) Changed(name string) {
	t.forget(path.Dir(name) + "/")
	t.forget(name + "/")
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
// otherwise a task whose sources are everything would run because it has run.
func (t *Tree) Hide(dir string) {
	t.mu.Lock()
	t.hidden = dir + "/"
	t.mu.Unlock()
}

// list returns the directory with that prefix (a path that ends with a slash). It
// looks at the entries that want selects, or at all if want is nil; it always looks
// at links.
func (t *Tree) list(prefix string, want func(string) bool) *directory {
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
		d, fd = relist(prefix, d, age, hidden)
		s.d, s.stale = d, false
	}
	s.mu.Unlock()
	d.look(fd, want)
	if t.anySameTimes.Load() {
		t.correct(d)
	}
	return d
}
