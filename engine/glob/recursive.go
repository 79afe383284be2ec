package glob

import (
	"errors"
	"path"
	"strings"
)

// errNotRecursive means that a pattern needs the shell's rules.
var errNotRecursive = errors.New("not for the recursive walk")

// recursive matches PREFIX/**/NAME. If it fails, it may have found and skipped some already.
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
	st, err := w.t.stat(path.Clean(top))
	switch {
	case err != nil, !st.isDir() && !st.IsLink():
		return errPattern
	case st.IsLink():
		return errNotRecursive
	}
	w.wrong.Store(nil)
	b := w.visit(top, nameMatcher(name))
	w.wg.Wait()
	if e := w.wrong.Load(); e != nil {
		return *e
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if w.found == nil {
		w.found = make([]File, 0, b.count())
	}
	w.found = b.collect(w, w.found)
	return nil
}

// branch is a directory of a recursive walk with those below it, in order.
type branch struct {
	d    *directory
	want func(string) bool
	subs []*branch
}

// visit lists a directory and those below. A free helper takes part of the work.
func (w *walk) visit(prefix string, want func(string) bool) *branch {
	d := w.t.list(prefix, want, w.mode == reading)
	b := &branch{d: d, want: want}
	if d.err != nil {
		w.skipDir(d)
		return b
	}
	n := 0
	for i := range d.entries {
		switch d.entries[i].kind {
		case isDir:
			n++
		case isLinkDir, isLoop:
			w.wrong.Store(&errNotRecursive)
			return b
		}
	}
	b.subs = make([]*branch, n)
	at := -1
	for i := range d.entries {
		if d.entries[i].kind != isDir {
			continue
		}
		if w.wrong.Load() != nil || w.ctx.Err() != nil {
			return b
		}
		at++
		slot := &b.subs[at]
		sub := prefix + d.entries[i].name + "/"
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
	n := len(b.d.entries)
	for _, s := range b.subs {
		n += s.count()
	}
	return n
}

// collect appends the files in the order of their paths.
func (b *branch) collect(w *walk, out []File) []File {
	subs := b.subs
	for i := range b.d.entries {
		e := &b.d.entries[i]
		switch {
		case e.kind == isDir:
			out = subs[0].collect(w, out)
			subs = subs[1:]
		case !e.looked || !b.want(e.name):
		case e.err() != nil:
			w.skipEntry(b.d, e)
		default:
			if e.kind == isDangling {
				w.skip(skipped{b.d.prefix + e.name, errDangling})
			}
			out = append(out, File{b.d, e})
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
	return func(s string) bool { return match(name, s) }
}
