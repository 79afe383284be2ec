package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// Tree answers globs. Walks share one listing per directory until Dirty says
// that a command may have changed something. It is safe for concurrent use.
//
// Patterns are those of a shell with globstar: `*` and `?` do not match a
// leading dot, `**` matches directories at any depth but no hidden ones and
// follows no links, braces and environment variables are expanded first.
// Directories never match.
type Tree struct {
	environ []string
	age     atomic.Int64

	mu       sync.Mutex // guards the maps
	listings map[string]*listing
	ignores  map[string]*ignoreFile
	env      expand.Environ
}

// listing is the content of a directory as it was at an age.
type listing struct {
	age   int64
	names []string
	types []fs.FileMode
}

// NewTree returns a Tree; environ is for variables in patterns.
func NewTree(environ []string) *Tree {
	return &Tree{environ: environ, listings: map[string]*listing{}, ignores: map[string]*ignoreFile{}}
}

// Dirty says that files may have been made or removed.
func (t *Tree) Dirty() { t.age.Add(1) }

// Glob returns the files that the patterns match, sorted, relative to dir.
func (t *Tree) Glob(ctx context.Context, dir string, ps []Pattern, gitignore bool) ([]string, error) {
	files, _, err := t.files(ctx, dir, ps, gitignore)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(files))
	for i := range files {
		out[i] = files[i].path
	}
	return out, nil
}

// files is Glob with what is known of each file, and the patterns that match
// nothing.
func (t *Tree) files(ctx context.Context, dir string, ps []Pattern, gitignore bool) (out []file, unmatched []Pattern, err error) {
	for _, p := range ps {
		var found []file
		for _, g := range t.alternatives(p.Glob) {
			w := walk{t: t, ctx: ctx, dir: dir, found: &found}
			if err := w.glob(g); err != nil {
				return nil, nil, err
			}
		}
		if !p.Exclude {
			if len(found) == 0 {
				unmatched = append(unmatched, p)
			}
			out = append(out, found...)
			continue
		}
		gone := make(map[string]bool, len(found))
		for i := range found {
			gone[found[i].path] = true
		}
		out = slices.DeleteFunc(out, func(f file) bool { return gone[f.path] })
	}
	if !slices.IsSortedFunc(out, comparePaths) {
		slices.SortFunc(out, comparePaths)
	}
	out = slices.CompactFunc(out, func(a, b file) bool { return a.path == b.path })
	if gitignore {
		out = t.withoutIgnored(dir, out)
	}
	return out, unmatched, nil
}

// generated returns the files that in generates, and the first pattern that
// matches nothing.
func (t *Tree) generated(ctx context.Context, in *Inputs) (out []file, missing string, err error) {
	if len(in.Generates) == 0 {
		return nil, "", nil
	}
	for i, p := range in.Generates {
		if p.Exclude {
			continue
		}
		files, _, err := t.files(ctx, in.Dir, in.Generates[i:i+1], in.Gitignore)
		if err != nil {
			return nil, "", err
		}
		if len(files) == 0 {
			return nil, p.Glob, nil
		}
		out = append(out, files...)
	}
	if len(in.Generates) > 1 {
		slices.SortFunc(out, comparePaths)
		out = slices.CompactFunc(out, func(a, b file) bool { return a.path == b.path })
	}
	return out, "", nil
}

func comparePaths(a, b file) int { return strings.Compare(a.path, b.path) }

// alternatives expands variables, a leading tilde and braces.
func (t *Tree) alternatives(glob string) []string {
	if strings.HasPrefix(glob, "~") || strings.Contains(glob, "$") {
		glob = t.expand(glob)
	}
	if !strings.Contains(glob, "{") {
		return []string{glob}
	}
	var words []string
	word, err := syntax.NewParser().Document(strings.NewReader(glob))
	if err != nil {
		return []string{glob}
	}
	if !syntax.SplitBraces(word) {
		return []string{glob}
	}
	for _, w := range expand.Braces(word) {
		var b strings.Builder
		syntax.NewPrinter().Print(&b, w)
		words = append(words, b.String())
	}
	return words
}

func (t *Tree) expand(glob string) string {
	t.mu.Lock()
	if t.env == nil {
		t.env = expand.ListEnviron(t.environ...)
	}
	env := t.env
	t.mu.Unlock()
	if glob == "~" || strings.HasPrefix(glob, "~/") {
		glob = env.Get("HOME").String() + glob[1:]
	}
	return os.Expand(glob, func(name string) string { return env.Get(name).String() })
}

// list returns the content of the directory, sorted by name.
func (t *Tree) list(dir string) (*listing, error) {
	age := t.age.Load()
	t.mu.Lock()
	l := t.listings[dir]
	t.mu.Unlock()
	if l != nil && l.age == age {
		return l, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil && len(entries) == 0 {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	l = &listing{age: age, names: make([]string, len(entries)), types: make([]fs.FileMode, len(entries))}
	for i, e := range entries {
		l.names[i], l.types[i] = e.Name(), e.Type()
	}
	t.mu.Lock()
	t.listings[dir] = l
	t.mu.Unlock()
	return l, nil
}

// walk is one glob on its way through the directories.
type walk struct {
	t     *Tree
	ctx   context.Context
	dir   string // what found paths are relative to
	found *[]file
}

// glob finds the files of one pattern.
func (w *walk) glob(glob string) error {
	if glob == "" {
		return nil
	}
	if !strings.ContainsAny(glob, `*?[\`) {
		w.literal(filepath.Clean(glob))
		return nil
	}
	var segs []segment
	for _, s := range strings.Split(glob, "/") {
		if s == "" || s == "." {
			continue
		}
		segs = append(segs, newSegment(s))
	}
	base := ""
	if filepath.IsAbs(glob) {
		base = "/"
	}
	return w.match(base, segs)
}

// literal adds path if it is a file.
func (w *walk) literal(path string) {
	if f, err := statFile(w.dir, path); err == nil && !f.isDir() {
		*w.found = append(*w.found, f)
	}
}

// match adds what segs match below the directory rel.
func (w *walk) match(rel string, segs []segment) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	s, rest := segs[0], segs[1:]
	if s.text != "" {
		path := below(rel, s.text)
		if len(rest) == 0 {
			w.literal(path)
			return nil
		}
		return w.match(path, rest)
	}
	l, err := w.t.list(w.absolute(rel))
	if errors.Is(err, fs.ErrNotExist) || err != nil && isNotDir(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.deep {
		return w.deep(rel, l, rest)
	}
	for i, name := range l.names {
		if !s.matches(name) {
			continue
		}
		path := below(rel, name)
		switch {
		case len(rest) == 0 && !l.types[i].IsDir():
			w.literal(path)
		case len(rest) > 0 && (l.types[i].IsDir() || l.types[i]&fs.ModeSymlink != 0):
			if err := w.match(path, rest); err != nil {
				return err
			}
		}
	}
	return nil
}

// deep matches `**`: rest here and in every directory below.
func (w *walk) deep(rel string, l *listing, rest []segment) error {
	for len(rest) > 0 && rest[0].deep {
		rest = rest[1:]
	}
	if len(rest) > 0 {
		if err := w.match(rel, rest); err != nil {
			return err
		}
	}
	for i, name := range l.names {
		if name[0] == '.' {
			continue
		}
		path := below(rel, name)
		switch typ := l.types[i]; {
		case typ.IsDir():
			sub, err := w.t.list(w.absolute(path))
			if err != nil {
				continue // it went away, or may not be read: nothing matches
			}
			if err := w.deep(path, sub, rest); err != nil {
				return err
			}
		case len(rest) == 0:
			w.literal(path)
		case typ&fs.ModeSymlink != 0:
			if err := w.match(path, rest); err != nil {
				return err
			}
		}
	}
	return nil
}

func isNotDir(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && (p.Err.Error() == "not a directory" || errors.Is(err, fs.ErrPermission))
}

func (w *walk) absolute(rel string) string {
	if filepath.IsAbs(rel) {
		return rel
	}
	return filepath.Join(w.dir, rel)
}

func below(rel, name string) string {
	switch rel {
	case "":
		return name
	case "/":
		return "/" + name
	}
	return rel + "/" + name
}

// segment is what stands between two slashes of a pattern.
type segment struct {
	text   string // stands for itself
	deep   bool   // `**`
	suffix string // `*` and this
	star   bool   // suffix is meant
	hidden bool   // matches names with a leading dot
	re     *regexp.Regexp
}

func newSegment(s string) segment {
	switch {
	case s == "**":
		return segment{deep: true}
	case !strings.ContainsAny(s, `*?[\`):
		return segment{text: s}
	case s[0] == '*' && !strings.ContainsAny(s[1:], `*?[\`):
		return segment{star: true, suffix: s[1:]}
	}
	expr, err := pattern.Regexp(s, pattern.Filenames|pattern.EntireString)
	if err != nil {
		return segment{text: s}
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return segment{text: s}
	}
	return segment{re: re, hidden: s[0] == '.'}
}

func (s *segment) matches(name string) bool {
	if name[0] == '.' && !s.hidden {
		return false
	}
	if s.star {
		return strings.HasSuffix(name, s.suffix)
	}
	return s.re.MatchString(name)
}
