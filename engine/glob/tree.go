package glob

import (
	"path"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/schema/diag"
	"mvdan.cc/sh/v3/expand"
)

// Tree answers globs. All who ask share one listing per directory and one look
// at each file until [Tree.Dirty] says that a command may have changed
// something. It is safe for concurrent use.
type Tree struct {
	// Warn is told of each entry that patterns have to leave out, once, from whatever
	// goroutine finds it; it may be nil, and is set before the Tree is used.
	Warn func(*diag.Diagnostic)

	maxThroughLinks int // see there

	environ []string
	age     atomic.Uint64
	helpers chan struct{} // tokens: goroutines that may help a walk

	mu        sync.Mutex // guards the fields below
	slots     map[string]*slot
	env       expand.Environ
	hidden    string // as Hide has it, with a slash
	ignores   ignores
	contents  map[string]Content   // of files that stand in no listing
	warned    map[string]bool      // paths
	sameTimes map[string]sameTimes // by path; see SetContent

	anySameTimes atomic.Bool // whether sameTimes has any
}

// NewTree returns a Tree; environ is for variables in patterns.
func NewTree(environ []string) *Tree {
	t := &Tree{maxThroughLinks: maxThroughLinks, environ: environ, helpers: make(chan struct{}, helperCount()), slots: map[string]*slot{}}
	t.age.Store(1)
	return t
}

// Dirty says that files may have been made, changed or removed. It costs
// nothing; who asks next looks again at what it asks for.
func (t *Tree) Dirty() { t.age.Add(1) }

// Changed is Dirty for those who know where: something may have been made, changed or
// removed at a path.
func (t *Tree) Changed(name string) {
	t.forget(path.Dir(name) + "/")
	t.forget(name + "/")
}

// forget makes the listing of a directory one of an age that is over.
func (t *Tree) forget(prefix string) {
	t.mu.Lock()
	s := t.slots[prefix]
	t.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d != nil {
		old := s.d
		old.mu.Lock()
		s.d = &directory{prefix: old.prefix, self: old.self, young: old.young, entries: old.entries, err: old.err} // of age 0
		old.mu.Unlock()
	}
}

// Hide makes dir, a directory of weft's own, invisible to patterns: a task whose
// sources are everything is not to be run because it has been run.
func (t *Tree) Hide(dir string) {
	t.mu.Lock()
	t.hidden = dir + "/"
	t.mu.Unlock()
}

// list returns the directory with that prefix (a path that ends with a slash).
// It looks at the entries that want says, at all with nil; those that are links
// it always looks at.
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
	if d == nil || d.age != age {
		d, fd = relist(prefix, d, age, hidden)
		s.d = d
	}
	s.mu.Unlock()
	d.look(fd, want)
	if t.anySameTimes.Load() {
		t.correct(d)
	}
	return d
}
