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
	Unmatched []Pattern // those that exclude nothing and match nothing
	// Unreadable is the error of a place that could not be searched, so that files in it may be
	// missing; nil if there is none.
	Unreadable error
}

// Find returns the files that patterns relative to dir match; with gitignore, without
// those that git ignores. A pattern that is not valid matches nothing. The only error
// is that of ctx.
func (t *Tree) Find(ctx context.Context, dir string, ps []Pattern, gitignore bool) (Set, error) {
	return t.findBy(ctx, dir, ps, gitignore, (*Tree).match)
}

// FindGenerated is Find for patterns of generated files: one that matches no file means all files
// in the directory it names. It includes files that git ignores.
func (t *Tree) FindGenerated(ctx context.Context, dir string, ps []Pattern) (Set, error) {
	return t.findBy(ctx, dir, ps, false, (*Tree).matchGenerated)
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

// matcher is Tree.match, or another function that returns the files of one pattern.
type matcher func(t *Tree, ctx context.Context, dir, glob string) ([]File, []skipped, error)

func (t *Tree) findBy(ctx context.Context, dir string, ps []Pattern, gitignore bool, match matcher) (s Set, err error) {
	var omitted omissions
	for _, p := range ps {
		found, skipped, err := match(t, ctx, dir, p.Glob)
		if err != nil {
			return Set{}, err
		}
		if p.Exclude {
			s.Files = without(s.Files, found)
			omitted = omitted.without(skipped, p.Glob)
			continue
		}
		omitted = omitted.add(skipped, p)
		if gitignore {
			found = t.withoutIgnored(dir, found)
		}
		if len(found) == 0 {
			s.Unmatched = append(s.Unmatched, p)
		}
		s.Files = union(s.Files, found)
	}
	t.warn(dir, omitted, s.Files)
	s.Unreadable = omitted.unreadable(dir)
	return s, nil
}

// match returns the files that one pattern matches, and the entries that it had to skip. The
// only error is that of ctx.
func (t *Tree) match(ctx context.Context, dir, glob string) ([]File, []skipped, error) {
	return t.walk(&walk{t: t, ctx: ctx}, dir, glob)
}

// walk is match by a new walk.
func (t *Tree) walk(w *walk, dir, glob string) ([]File, []skipped, error) {
	ctx := w.ctx
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	base, rest := anchor(dir, glob)
	if plain(rest, "") {
		found, skipped := t.named(base + rest)
		return found, skipped, nil
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
			err = w.shell(base, rest)
		}
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, w.skipped, nil
	}
	return sorted(w.found), w.skipped, nil
}

// matchGenerated is match for FindGenerated.
func (t *Tree) matchGenerated(ctx context.Context, dir, glob string) ([]File, []skipped, error) {
	found, skipped, err := t.match(ctx, dir, glob)
	if err != nil || len(found) > 0 {
		return found, skipped, err
	}
	return t.match(ctx, dir, strings.TrimSuffix(glob, "/")+"/**/*")
}

// walk is the search of the directories for one pattern.
type walk struct {
	t     *Tree
	ctx   context.Context
	found []File
	wg    sync.WaitGroup
	wrong atomic.Pointer[error] // why a recursive walk is given up

	read         bool // the small files, while they are found
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
