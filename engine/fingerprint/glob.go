package fingerprint

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// A pattern is a path below a directory; it takes one of four ways.
//
//   - Without special characters: one look at that path.
//   - PREFIX/**/NAME, with nothing special before and one more segment after:
//     a walk that NAME is matched against as path.Match does. It sees hidden
//     names, which shells do not. A link to a directory anywhere below sends
//     the pattern the third way.
//   - With `*`, `?` and `**` only, or these inside braces: shell rules, walked
//     here. Names with a leading dot match only a segment that begins with one.
//   - With anything else: the shell's own expansion, over our listings.
//
// The format's runner has these ways too, and its results depend on them: so
// do those here. In one thing they differ: there a pattern that meets what it cannot look
// at matches nothing at all, which makes a build stale and an exclusion void; here only
// that entry is left out (see skip.go).

// errPattern ends the work on a pattern that matches nothing at all: it is no pattern, or
// an alternative of its braces is missing.
var errPattern = errors.New("pattern cannot be answered")

// find answers patterns in order.
func (t *Tree) find(ctx context.Context, dir string, ps []Pattern, gitignore bool) (s set, err error) {
	return t.findBy(ctx, dir, ps, gitignore, (*Tree).match)
}

// matcher answers one pattern, as Tree.match does.
type matcher func(t *Tree, ctx context.Context, dir, glob string) ([]item, []skipped, error)

func (t *Tree) findBy(ctx context.Context, dir string, ps []Pattern, gitignore bool, match matcher) (s set, err error) {
	var lost left
	for _, p := range ps {
		found, skipped, err := match(t, ctx, dir, p.Glob)
		if err != nil {
			return set{}, err
		}
		if p.Exclude {
			s.items = without(s.items, found)
			lost = lost.without(skipped, p.Glob)
			continue
		}
		lost = lost.add(skipped, p)
		if gitignore {
			found = t.withoutIgnored(dir, found)
		}
		if len(found) == 0 {
			s.unmatched = append(s.unmatched, p)
		}
		s.items = union(s.items, found)
	}
	t.tell(dir, lost, s.items)
	return s, nil
}

// match answers one pattern, and tells what it had to leave out. The only error is that
// of ctx.
func (t *Tree) match(ctx context.Context, dir, glob string) ([]item, []skipped, error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	base, rest := anchor(dir, glob)
	if plain(rest, "") {
		found, skipped := t.named(base + rest)
		return found, skipped, nil
	}
	w := &walk{t: t, ctx: ctx}
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

// matchMade is match for what is generated: a directory is there by what is in it, where a
// pattern matches no file.
func (t *Tree) matchMade(ctx context.Context, dir, glob string) ([]item, []skipped, error) {
	found, skipped, err := t.match(ctx, dir, glob)
	if err != nil || len(found) > 0 {
		return found, skipped, err
	}
	return t.match(ctx, dir, strings.TrimSuffix(glob, "/")+"/**/*")
}

// named returns the file at a path, if there is one.
func (t *Tree) named(path string) ([]item, []skipped) {
	e, err := t.file(path)
	switch {
	case err != nil:
		return nil, []skipped{{path, err}}
	case e == nil:
		return nil, nil
	}
	found := []item{{nowhere, e}}
	if e.kind == isDangling {
		return found, []skipped{{path, errNowhere}}
	}
	return found, nil
}

// named takes the file at a path, if there is one.
func (w *walk) named(path string) {
	found, skipped := w.t.named(path)
	w.found = append(w.found, found...)
	for _, s := range skipped {
		w.skip(s)
	}
}

// anchor splits a pattern into an absolute directory with a slash, in which
// nothing is special, and the rest. It is cleaned as a path.
func anchor(dir, glob string) (base, rest string) {
	if path.IsAbs(glob) {
		return "/", strings.TrimPrefix(path.Clean(glob), "/")
	}
	rest = path.Clean(glob)
	for rest == ".." || strings.HasPrefix(rest, "../") {
		dir, rest = path.Dir(dir), strings.TrimPrefix(rest[2:], "/")
	}
	if rest == "." {
		rest = ""
	}
	return strings.TrimSuffix(dir, "/") + "/", rest
}

// plain reports whether everything in s stands for itself, but for what
// special allows.
func plain(s, special string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
		case strings.IndexByte("/._-+@%=:,~^!#&() ]}", c) >= 0:
		case strings.IndexByte(special, c) >= 0:
		default:
			return false
		}
	}
	return true
}

// simple reports whether s is for walk.segments.
func simple(s string) bool {
	return plain(s, "*?") && segmented(s)
}

// segmented reports whether `**` stands alone between slashes in s.
func segmented(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for rest, seg, more := s, "", true; more; {
		seg, rest, more = strings.Cut(rest, "/")
		if seg != "**" && strings.Contains(seg, "**") {
			return false
		}
	}
	return true
}

// unquote takes the quotes and backslashes out of a pattern for walk.segments, in which
// nothing that they stand before or around is `*` or `?`. ok is false for any other. The
// shell's own expansion takes a directory's name as it is written, with the backslashes.
func unquote(s string) (literal string, ok bool) {
	if !strings.ContainsAny(s, `\'"`) || !strings.ContainsAny(s, "*?") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte("*?/", s[i+1]) < 0:
			i++
			b.WriteByte(s[i])
		case c == '\'' || c == '"':
			inner, _, closed := strings.Cut(s[i+1:], s[i:i+1])
			if !closed || strings.ContainsAny(inner, "*?\\") || c == '"' && strings.ContainsAny(inner, "$`") {
				return "", false
			}
			b.WriteString(inner)
			i += len(inner) + 1
		case plain(s[i:i+1], "*?"):
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	return b.String(), segmented(b.String())
}

// walk is one pattern on its way through the directories.
type walk struct {
	t     *Tree
	ctx   context.Context
	found []item
	wg    sync.WaitGroup
	stop  atomic.Pointer[error] // why a recursive walk is given up

	links  int // links that lead to where a walk by segments is
	behind int // directories it has looked at behind links inside one another

	mu      sync.Mutex // guards skipped
	skipped []skipped
}

// errNotRecursive sends a pattern to the shell's rules.
var errNotRecursive = errors.New("not for the recursive walk")

// recursive answers PREFIX/**/NAME.
func (w *walk) recursive(base, rest string) error {
	var prefix, name string
	if n, ok := strings.CutPrefix(rest, "**/"); ok {
		name = n
	} else if prefix, name, ok = strings.Cut(rest, "/**/"); ok {
		prefix += "/"
	} else {
		return errNotRecursive
	}
	if strings.ContainsAny(name, "/{}") || strings.ContainsAny(prefix, "*?[{}") {
		return errNotRecursive
	}
	top := base + prefix
	st, err := statPath(path.Clean(top), false)
	switch {
	case err != nil, st.mode&typeMask != typeDir && st.mode&typeMask != typeLink:
		return errPattern
	case st.mode&typeMask == typeLink:
		return errNotRecursive
	}
	b := w.visit(top, nameMatcher(name))
	w.wg.Wait()
	if e := w.stop.Load(); e != nil {
		return *e
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	n := b.count()
	w.found = b.collect(w, make([]item, 0, n))
	return nil
}

// branch is a directory of a recursive walk with those below it, in order.
type branch struct {
	d    *directory
	want func(string) bool
	subs []*branch
}

// visit lists a directory and those below. Where a helper is free, it takes
// part of the work.
func (w *walk) visit(prefix string, want func(string) bool) *branch {
	d := w.t.list(prefix, want)
	b := &branch{d: d, want: want}
	if d.err != nil {
		w.skipDir(d)
		return b
	}
	n := 0
	for i := range d.ents {
		switch d.ents[i].kind {
		case isDir:
			n++
		case isLinkDir, isLoop:
			w.stop.Store(&errNotRecursive)
			return b
		}
	}
	b.subs = make([]*branch, n)
	at := -1
	for i := range d.ents {
		if d.ents[i].kind != isDir {
			continue
		}
		if w.stop.Load() != nil || w.ctx.Err() != nil {
			return b
		}
		at++
		slot := &b.subs[at]
		sub := prefix + d.ents[i].name + "/"
		select {
		case w.t.helpers <- struct{}{}:
			w.wg.Add(1)
			go func() {
				*slot = w.visit(sub, want)
				<-w.t.helpers
				w.wg.Done()
			}()
		default:
			*slot = w.visit(sub, want)
		}
	}
	return b
}

// count is the most files that collect can return.
func (b *branch) count() int {
	n := len(b.d.ents)
	for _, s := range b.subs {
		n += s.count()
	}
	return n
}

// collect appends the files in the order of their paths.
func (b *branch) collect(w *walk, out []item) []item {
	subs := b.subs
	for i := range b.d.ents {
		e := &b.d.ents[i]
		switch {
		case e.kind == isDir:
			out = subs[0].collect(w, out)
			subs = subs[1:]
		case !e.looked || !b.want(e.name):
		case e.err() != nil:
			w.skipEntry(b.d, e)
		default:
			if e.kind == isDangling {
				w.skipLink(b.d.prefix + e.name)
			}
			out = append(out, item{b.d, e})
		}
	}
	return out
}

// nameMatcher matches names as path.Match does.
func nameMatcher(name string) func(string) bool {
	if name == "*" || name == "**" {
		return func(string) bool { return true }
	}
	if suffix := name[min(1, len(name)):]; name != "" && name[0] == '*' && !strings.ContainsAny(suffix, `*?[\`) {
		return func(s string) bool { return strings.HasSuffix(s, suffix) }
	}
	return func(s string) bool {
		ok, err := path.Match(name, s)
		return ok && err == nil
	}
}

// helperCount is how many goroutines may help walks: the one that asks is
// there already.
func helperCount() int { return max(0, min(runtime.GOMAXPROCS(0), 8)-1) }

// isNotDir reports whether a path goes through something that is no directory.
func isNotDir(err error) bool { return errors.Is(err, errNotDir) || errors.Is(err, fs.ErrNotExist) }
