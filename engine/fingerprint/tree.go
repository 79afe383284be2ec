package fingerprint

import (
	"context"
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

	behindLinks int // as maxBehindLinks

	environ []string
	age     atomic.Uint64
	helpers chan struct{} // tokens: goroutines that may help a walk

	mu      sync.Mutex // guards the fields below
	slots   map[string]*slot
	env     expand.Environ
	hidden  string // the state directory, with a slash: never a source
	ignores ignores
	hashes  map[string]hashed // of files that stand in no listing
	told    map[string]bool   // paths that were warned of
	doubts  map[string]doubt  // see Found

	doubting atomic.Bool // whether there are doubts
}

// NewTree returns a Tree; environ is for variables in patterns.
func NewTree(environ []string) *Tree {
	t := &Tree{behindLinks: maxBehindLinks, environ: environ, helpers: make(chan struct{}, helperCount()), slots: map[string]*slot{}}
	t.age.Store(1)
	return t
}

// Dirty says that files may have been made, changed or removed. It costs
// nothing; who asks next looks again at what it asks for.
func (t *Tree) Dirty() { t.age.Add(1) }

// hide makes dir, the state directory, invisible to globs: a task whose sources
// are everything is not to be run because it has been run.
func (t *Tree) hide(dir string) {
	t.mu.Lock()
	t.hidden = dir + "/"
	t.mu.Unlock()
}

// Glob returns the files that the patterns match, relative to dir (with "../"
// where they stand outside), sorted by absolute path. A pattern that is wrong
// matches nothing; a link that leads nowhere is no file. The only error is that of ctx.
func (t *Tree) Glob(ctx context.Context, dir string, ps []Pattern, gitignore bool) ([]string, error) {
	s, err := t.find(ctx, dir, ps, gitignore)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(s.items))
	for _, it := range s.items {
		if it.e.kind != isDangling {
			prefix, name := it.place(dir)
			out = append(out, prefix+name)
		}
	}
	return out, nil
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
		d, fd = refresh(prefix, d, age, hidden)
		s.d = d
	}
	s.mu.Unlock()
	d.look(fd, want)
	if t.doubting.Load() {
		t.disbelieve(d)
	}
	return d
}
