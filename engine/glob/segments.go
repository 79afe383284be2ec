package glob

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// segments matches a pattern of plain text, `*`, `?` and `**` by the rules of a shell with
// globstar.
func (w *walk) segments(base, rest string) error {
	return w.step(base, strings.Split(rest, "/"))
}

// step matches segs below the directory prefix.
func (w *walk) step(prefix string, segs []string) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	seg, last := segs[0], len(segs) == 1
	switch {
	case seg == "**":
		return w.deep(prefix, segs[1:])
	case !strings.ContainsAny(seg, "*?"):
		if !last {
			return w.step(prefix+seg+"/", segs[1:])
		}
		w.named(prefix + seg)
		return nil
	}
	want := func(string) bool { return false } // links only: are they directories?
	if last {
		want = func(name string) bool { return matchName(seg, name) }
	}
	d := w.t.list(prefix, want, w.mode == reading)
	if d.err != nil {
		w.skipDir(d)
		return nil
	}
	for i := range d.entries {
		e := &d.entries[i]
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
func (w *walk) take(d *directory, e *entry, last bool, segs []string) error {
	switch {
	case last && e.err() != nil:
		w.skipEntry(d, e)
	case last && e.kind == isDangling:
		w.skip(skipped{d.prefix + e.name, errDangling})
		w.found = append(w.found, File{d, e})
	case last && (e.kind == isFile || e.kind == isLink):
		w.found = append(w.found, File{d, e})
	case !last && (e.kind == isDir || e.kind == isLinkDir):
		return w.descend(d, e, nil, func(prefix string) error { return w.step(prefix, segs[1:]) })
	}
	return nil
}

// maxThroughLinks is the maximum number of directories visited through nested links: a few links to
// each other's directories have innumerable paths.
const maxThroughLinks = 20_000

var errManyLinks = errors.New("there are too many paths through nested links")

// descend continues in the directory e of d, or in the one that e is a link to. want selects the
// entries whose properties are needed.
func (w *walk) descend(d *directory, e *entry, want func(string) bool, on func(prefix string) error) error {
	prefix := d.prefix + e.name + "/"
	if e.kind == isLinkDir {
		if to := w.t.list(prefix, want, w.mode == reading); to.err != nil {
			w.skipDir(to)
			return nil
		}
		w.links++
		defer func() { w.links-- }()
	}
	if w.links > 1 {
		if w.throughLinks++; w.throughLinks > w.t.maxThroughLinks {
			if w.throughLinks == w.t.maxThroughLinks+1 {
				w.skip(skipped{prefix, errManyLinks})
			}
			return nil
		}
	}
	return on(prefix)
}

// deep matches `**`: the directory itself and all below it that are not
// hidden, through links too.
func (w *walk) deep(prefix string, segs []string) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	last := len(segs) == 0
	want := func(string) bool { return false }
	if last {
		want = visible
	}
	d := w.t.list(prefix, want, w.mode == reading)
	if d.err != nil {
		w.skipDir(d) // named entries may still be reachable
	}
	if !last {
		if err := w.step(prefix, segs); err != nil {
			return err
		}
	}
	for i := range d.entries {
		e := &d.entries[i]
		if !visible(e.name) {
			continue
		}
		var err error
		switch {
		case e.kind == isDir, e.kind == isLinkDir:
			err = w.descend(d, e, want, func(prefix string) error { return w.deep(prefix, segs) })
		case last:
			err = w.take(d, e, true, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
