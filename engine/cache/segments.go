package cache

import (
	"errors"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// segments answers a pattern of plain text, `*`, `?` and `**` by the rules of
// a shell with globstar.
func (w *walk) segments(base, rest string) error {
	return w.step(base, strings.Split(rest, "/"), true)
}

// step matches segs below the directory prefix. named tells that the last
// segment before was plain text: then the directory need not exist.
func (w *walk) step(prefix string, segs []string, named bool) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	seg, last := segs[0], len(segs) == 1
	switch {
	case seg == "**":
		return w.deep(prefix, segs[1:], named)
	case !strings.ContainsAny(seg, "*?"):
		if !last {
			return w.step(prefix+seg+"/", segs[1:], true)
		}
		e, err := w.t.file(prefix + seg)
		if e != nil && err == nil {
			w.found = append(w.found, item{nowhere, e})
		}
		return err
	}
	want := func(string) bool { return false } // links only: are they directories?
	if last {
		want = func(name string) bool { return matchName(seg, name) }
	}
	d := w.t.list(prefix, want)
	if d.err != nil {
		return unlisted(d.err, named)
	}
	for i := range d.ents {
		e := &d.ents[i]
		if !matchName(seg, e.name) {
			continue
		}
		if err := w.take(d, e, last, segs); err != nil {
			return err
		}
	}
	return nil
}

// take uses one match: as a file when it was the last segment, else as a
// directory.
func (w *walk) take(d *directory, e *dent, last bool, segs []string) error {
	switch {
	case last && e.kind == isDangling:
		return errPattern
	case last && e.err() != nil:
		if errors.Is(e.err(), fs.ErrNotExist) {
			return nil // went away meanwhile
		}
		return errPattern
	case last && (e.kind == isFile || e.kind == isLink):
		w.found = append(w.found, item{d, e})
	case !last && e.kind == isDir:
		return w.step(d.prefix+e.name+"/", segs[1:], false)
	case !last && e.kind == isLinkDir && w.t.list(d.prefix+e.name+"/", nil).err == nil:
		return w.step(d.prefix+e.name+"/", segs[1:], false)
	}
	return nil
}

// deep matches `**`: the directory itself and all below it that are not
// hidden, through links too.
func (w *walk) deep(prefix string, segs []string, named bool) error {
	last := len(segs) == 0
	want := func(string) bool { return false }
	if last {
		want = visible
	}
	d := w.t.list(prefix, want)
	if d.err != nil {
		if last || named {
			return nil
		}
		return w.step(prefix, segs, false)
	}
	if !last {
		if err := w.step(prefix, segs, false); err != nil {
			return err
		}
	}
	for i := range d.ents {
		e := &d.ents[i]
		if !visible(e.name) {
			continue
		}
		var err error
		switch {
		case e.kind == isDir, e.kind == isLinkDir:
			sub := d.prefix + e.name + "/"
			if e.kind == isLinkDir && w.t.list(sub, want).err != nil {
				continue
			}
			err = w.deep(sub, segs, false)
		case last:
			err = w.take(d, e, true, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unlisted is what becomes of a directory that cannot be listed: one that was
// named may be missing, one that was found may not.
func unlisted(err error, named bool) error {
	if named || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errPattern
}

func visible(name string) bool { return name[0] != '.' }

// matchName matches a name with `*` and `?`. A leading star does not match a
// leading dot; what follows it may.
func matchName(pat, name string) bool {
	if name[0] == '.' && pat[0] == '*' {
		pat = pat[1:]
	}
	// The usual backtracking over the last star.
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		_, size := utf8.DecodeRuneInString(name[n:])
		switch {
		case p < len(pat) && pat[p] == '*':
			star, mark = p, n
			p++
			continue
		case p < len(pat) && pat[p] == '?':
			p++
			n += size
			continue
		case p < len(pat) && pat[p] == name[n]:
			p++
			n++
			continue
		case star >= 0:
			_, size = utf8.DecodeRuneInString(name[mark:])
			mark += size
			p, n = star+1, mark
			continue
		}
		return false
	}
	for p < len(pat) && pat[p] == '*' {
		p++
	}
	return p == len(pat)
}
