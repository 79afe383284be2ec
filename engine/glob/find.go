package glob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// errPattern means that a pattern matches nothing at all: it is not valid, or the file that an
// alternative of its braces names does not exist.
var errPattern = errors.New("pattern cannot be evaluated")

// Set is the files that patterns match, sorted by path, each once.
type Set struct {
	Files     []File
	Unmatched []Pattern // those that exclude nothing and match nothing, and missing alternatives of generated ones
	// Unreadable is the error of a place that could not be searched, so that files in it may be
	// missing; nil if there is none.
	Unreadable error
	// Expanded means that a pattern with braces, variables or character classes has expanded to a path
	// that exists: if it did not, the pattern might match nothing.
	Expanded bool
}

// Find returns the files that patterns relative to dir match; with gitignore, without
// those that git ignores. A pattern that is not valid matches nothing. The only error
// is that of ctx.
func (t *Tree) Find(ctx context.Context, dir string, ps []Pattern, gitignore bool) (Set, error) {
	return t.findBy(ctx, dir, ps, gitignore, finding)
}

// FindGenerated is Find for patterns of generated files, see [Pattern.Generated]. It includes files
// that git ignores.
func (t *Tree) FindGenerated(ctx context.Context, dir string, ps []Pattern) (Set, error) {
	return t.findBy(ctx, dir, ps, false, generating)
}

// Names returns the paths of the files that Find finds, relative to dir, with "../" for files
// outside it. It omits dangling links.
func (t *Tree) Names(ctx context.Context, dir string, ps []Pattern, gitignore bool) ([]string, error) {
	s, err := t.Find(ctx, dir, ps, gitignore)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(s.Files))
	for _, f := range s.Files {
		if !f.Dangling() {
			prefix, name := f.Place(dir)
			out = append(out, prefix+name)
		}
	}
	return out, nil
}

// mode is for what files are looked for.
type mode uint8

const (
	finding    mode = iota
	reading         // small files are read as they are found
	generating      // see [Pattern.Generated]
)

func (t *Tree) findBy(ctx context.Context, dir string, ps []Pattern, gitignore bool, m mode) (s Set, err error) {
	var omitted omissions
	for _, p := range ps {
		one := m
		if p.Generated {
			one = generating
		}
		w, err := t.match(ctx, dir, p.Glob, one)
		if err != nil {
			return Set{}, err
		}
		s.Expanded = s.Expanded || w.literal
		if p.Exclude {
			s.Files = without(s.Files, w.found)
			omitted = omitted.without(w.skipped, p.Glob)
			continue
		}
		omitted = omitted.add(w.skipped, p)
		if gitignore {
			w.found = t.withoutIgnored(dir, w.found)
		}
		if len(w.found) == 0 || w.missing != "" {
			if w.missing != "" {
				p.Glob = strings.TrimSuffix(Relative(dir, w.missing+"/"), "/")
			}
			s.Unmatched = append(s.Unmatched, p)
		}
		s.Files = union(s.Files, w.found)
	}
	t.warn(dir, omitted, s.Files)
	s.Unreadable = omitted.unreadable(dir)
	return s, nil
}

// match matches one pattern. The only error is that of ctx.
func (t *Tree) match(ctx context.Context, dir, glob string, m mode) (*walk, error) {
	w, err := t.search(ctx, dir, glob, m)
	if err == nil && m == generating && len(w.found) == 0 && !w.alternatives {
		return t.search(ctx, dir, strings.TrimSuffix(glob, "/")+"/**/*", finding)
	}
	return w, err
}

// search is match, but of a generated pattern it finds the files in directories only if it looks at
// its alternatives.
func (t *Tree) search(ctx context.Context, dir, glob string, m mode) (*walk, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w := &walk{t: t, ctx: ctx, mode: m}
	base, rest := anchor(dir, glob)
	if plain(rest, "") {
		w.found, w.skipped = t.named(base + rest)
		return w, nil
	}
	err := w.recursive(base, rest)
	if err == errNotRecursive {
		w.found, w.skipped = w.found[:0], nil
		literal, unquoted := unquote(rest)
		switch {
		case simple(rest):
			err = w.segments(base, rest)
		case unquoted:
			err = w.segments(base, literal)
		default:
			w.alternatives = true
			err = w.shell(base, rest)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		w.found = nil
	}
	w.found = sorted(w.found)
	return w, nil
}

// walk is the search of the directories for one pattern.
type walk struct {
	t       *Tree
	ctx     context.Context
	mode    mode
	found   []File
	missing string // what an alternative of a generated pattern names and does not exist, or ""
	wg      sync.WaitGroup
	wrong   atomic.Pointer[error] // why a recursive walk is given up

	literal      bool // an expansion has a path that exists
	alternatives bool // they are looked at one by one
	links        int  // that a walk by segments has followed so far
	throughLinks int  // directories visited through nested links

	mu      sync.Mutex // guards skipped
	skipped []skipped
}

// isAbsent reports whether err means that a path does not exist.
func isAbsent(err error) bool { return errors.Is(err, errNotDir) || errors.Is(err, fs.ErrNotExist) }

// named is the directory of files that were named by their whole paths, not found in a listing.
var named = &directory{byName: true}

// named returns the file at a path, if there is one.
func (t *Tree) named(path string) ([]File, []skipped) {
	e, err := t.file(path)
	switch {
	case err != nil:
		return nil, []skipped{{path, err}}
	case e == nil:
		return nil, nil
	}
	found := []File{{named, e}}
	if e.kind == isDangling {
		return found, []skipped{{path, errDangling}}
	}
	return found, nil
}

// file returns the entry of one path. It returns nil if there is nothing, or a directory. It is an
// error if that cannot be determined.
func (t *Tree) file(path string) (*entry, error) {
	if t.names != nil {
		if !t.hasName(path) {
			return nil, nil
		}
		return &entry{name: path, kind: isFile, looked: true, st: Stat{Mode: typeReg}}, nil
	}
	st, err := statPath(path, false)
	if err != nil {
		if isAbsent(err) {
			return nil, nil
		}
		return nil, err
	}
	e := &entry{name: path, kind: isFile, looked: true, st: st}
	if st.IsLink() {
		e.kind = isLink
		e.extra().target, _ = os.Readlink(path)
		if e.st, err = statPath(path, true); err != nil {
			e.kind, e.st = isDangling, st
		}
	}
	if e.st.isDir() {
		return nil, nil
	}
	if t.anySameTimes.Load() {
		t.mu.Lock()
		if same, ok := t.sameTimes[path]; ok && same.as == e.st {
			e.st.Ctime = same.ctime
		}
		t.mu.Unlock()
	}
	return e, nil
}

// named adds the file at a path to the result, if there is one.
func (w *walk) named(path string) {
	found, skipped := w.t.named(path)
	w.found = append(w.found, found...)
	for _, s := range skipped {
		w.skip(s)
	}
}
