package glob

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// A pattern skips inaccessible entries, and nothing else:
//
//   - A link that leads nowhere, or round in a circle, counts by its text if a pattern
//     matches its name, so that making it lead elsewhere is a change. Lists of files
//     do not contain it.
//   - A directory that cannot be read counts as empty.
//   - A file that cannot be read is found. A task with such a source is never up to date.
//
// There is one warning for each, unless a later pattern excludes it.

// skipped is one entry that a pattern had to skip.
type skipped struct {
	path string // of a directory with a slash at its end
	why  error  // errDangling for a link
}

var errDangling = errors.New("a broken link")

func (w *walk) skip(s skipped) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped = append(w.skipped, s)
}

// skipDir records that d cannot be listed, unless it is not a directory, or no longer one.
func (w *walk) skipDir(d *directory) {
	if !isAbsent(d.err) {
		w.skip(skipped{d.prefix, d.err})
	}
}

// skipEntry records that e is inaccessible, like all entries of d.
func (w *walk) skipEntry(d *directory, e *entry) {
	if !isAbsent(e.err()) {
		w.skip(skipped{d.prefix, e.err()})
	}
}

// omissions are the entries that the patterns of a list had to skip.
type omissions []omission

type omission struct {
	skipped
	p Pattern
}

func (l omissions) add(s []skipped, p Pattern) omissions {
	for _, s := range s {
		l = append(l, omission{s, p})
	}
	return l
}

// without drops the directories that an excluding pattern could not read either: it
// excludes all that is in them.
func (l omissions) without(s []skipped, glob string) omissions {
	if len(l) == 0 || !strings.HasSuffix(glob, "*") {
		return l
	}
	kept := l[:0]
	for _, x := range l {
		if x.why == errDangling || !slices.Contains(s, x.skipped) {
			kept = append(kept, x)
		}
	}
	return kept
}

// unreadable returns an error for the first inaccessible place; nil if there is none.
func (l omissions) unreadable(dir string) error {
	for _, x := range l {
		if x.why != errDangling {
			return fmt.Errorf("%q cannot be read: %w", x.name(dir), reason(x.why))
		}
	}
	return nil
}

// name returns the path of a skipped entry relative to dir.
func (x omission) name(dir string) string {
	i := strings.LastIndexByte(strings.TrimSuffix(x.path, "/"), '/') + 1
	return Relative(dir, x.path[:i]) + strings.TrimSuffix(x.path[i:], "/")
}

// warn warns once of each skipped entry. files are the final matches.
func (t *Tree) warn(dir string, l omissions, files []File) {
	if len(l) == 0 || t.Warn == nil {
		return
	}
	for _, x := range l {
		if x.why == errDangling && !slices.ContainsFunc(files, func(f File) bool { return f.Dangling() && f.Path() == x.path }) {
			continue
		}
		t.WarnOnce(x.path, func() *diag.Diagnostic { return x.warning(dir) })
	}
}

// WarnOnce calls [Tree.Warn] with a warning about a path, unless there was one about
// it before.
func (t *Tree) WarnOnce(path string, warning func() *diag.Diagnostic) {
	if t.Warn == nil {
		return
	}
	t.mu.Lock()
	warned := t.warned[path]
	if !warned {
		if t.warned == nil {
			t.warned = map[string]bool{}
		}
		t.warned[path] = true
	}
	t.mu.Unlock()
	if !warned {
		t.Warn(warning())
	}
}

// reason returns err without its path.
func reason(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		return perr.Err
	}
	return err
}

func (x omission) warning(dir string) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: x.p.Pos, Severity: diag.Warning, Kind: diag.Suspicious}
	name := x.name(dir)
	if x.why == errDangling {
		d.What = fmt.Sprintf("%q, which %q matches, is a broken link", name, x.p.Glob)
		d.Why, d.Fix = "only its target path counts", "remove it, or exclude it"
		return d
	}
	d.What = fmt.Sprintf("%q cannot be read", name)
	d.Why = fmt.Sprintf("%v: %q does not match it", reason(x.why), x.p.Glob)
	d.Fix = "make it readable, or exclude it"
	if x.why == errManyLinks {
		d.Fix = "name the directories instead of using **"
	}
	return d
}
