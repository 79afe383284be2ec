package fingerprint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// What a pattern meets and cannot look at is left out, and nothing else:
//
//   - A link that leads nowhere, or round in a circle, counts by its text where a pattern
//     matches its name: who makes it lead elsewhere has made a change. Lists of files do
//     not have it.
//   - A directory that cannot be read counts as empty.
//   - A file that cannot be read is there. What is made from it is never up to date.
//
// Each is told once, unless a later pattern takes it away.

// skipped is one entry that a pattern had to leave out.
type skipped struct {
	path string // of a directory with a slash at its end
	why  error  // errNowhere for a link
}

var errNowhere = errors.New("a link that leads nowhere")

func (w *walk) skip(s skipped) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped = append(w.skipped, s)
}

func (w *walk) skipLink(path string) { w.skip(skipped{path, errNowhere}) }

// skipDir leaves out what is in d, which cannot be listed. What is no directory, or not
// any more, is no loss.
func (w *walk) skipDir(d *directory) {
	if !isNotDir(d.err) {
		w.skip(skipped{d.prefix, d.err})
	}
}

// skipEntry leaves out e, which cannot be looked at: as little as all else in d.
func (w *walk) skipEntry(d *directory, e *dent) {
	if !isNotDir(e.err()) {
		w.skip(skipped{d.prefix, e.err()})
	}
}

// left is what the patterns of a list had to leave out.
type left []lost

type lost struct {
	skipped
	p Pattern
}

func (l left) add(s []skipped, p Pattern) left {
	for _, s := range s {
		l = append(l, lost{s, p})
	}
	return l
}

// without drops what an excluding pattern takes away: with all that is in them,
// directories that it could not read either.
func (l left) without(s []skipped, glob string) left {
	if len(l) == 0 || !strings.HasSuffix(glob, "*") {
		return l
	}
	return slices.DeleteFunc(l, func(x lost) bool { return x.why != errNowhere && slices.Contains(s, x.skipped) })
}

// tell warns of what was left out, each entry once. items is what is left of the matches.
func (t *Tree) tell(dir string, l left, items []item) {
	if len(l) == 0 || t.Warn == nil {
		return
	}
	for _, x := range l {
		if x.why == errNowhere && !slices.ContainsFunc(items, func(it item) bool { return it.e.kind == isDangling && it.path() == x.path }) {
			continue
		}
		if t.first(x.path) {
			t.Warn(x.warning(dir))
		}
	}
}

// first reports whether nothing has been told of a path yet.
func (t *Tree) first(path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[path] {
		return false
	}
	if t.told == nil {
		t.told = map[string]bool{}
	}
	t.told[path] = true
	return true
}

// tellUnreadable warns of a source that could not be read.
func (t *Tree) tellUnreadable(in *Inputs, it item) {
	why := whyUnreadable(it.path())
	if why == nil || t.Warn == nil || !t.first(it.path()) {
		return
	}
	prefix, name := it.place(in.Dir)
	t.Warn(&diag.Diagnostic{Pos: in.Sources[0].Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("%q cannot be read", prefix+name),
		Why: fmt.Sprintf("%v: %q is never up to date", why, in.Name), Fix: "make it readable, or exclude it"})
}

// whyUnreadable tells why a file cannot be read; nil if it can.
func whyUnreadable(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return reason(err)
	}
	f.Close()
	return nil
}

// reason is err without the path that it is about.
func reason(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		return perr.Err
	}
	return err
}

func (x lost) warning(dir string) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: x.p.Pos, Severity: diag.Warning, Kind: diag.Suspicious}
	i := strings.LastIndexByte(strings.TrimSuffix(x.path, "/"), '/') + 1
	name := relative(dir, x.path[:i]) + strings.TrimSuffix(x.path[i:], "/")
	if x.why == errNowhere {
		d.What = fmt.Sprintf("%q, which %q matches, is a link that leads nowhere", name, x.p.Glob)
		d.Why, d.Fix = "only its text counts", "remove it, or exclude it"
		return d
	}
	d.What = fmt.Sprintf("%q cannot be read", name)
	d.Why = fmt.Sprintf("%v: for %q it does not count", reason(x.why), x.p.Glob)
	d.Fix = "make it readable, or exclude it"
	if x.why == errManyLinks {
		d.Fix = "name the directories instead of using **"
	}
	return d
}
