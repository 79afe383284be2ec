package glob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The walk of this package and the shell's own expansion agree on patterns that both support.
func FuzzSegments(f *testing.F) {
	root := f.TempDir()
	for _, name := range []string{"a", "ab", ".a", "b/a", "b/.c/a", "b/ab/a", ".h/a", "é/a", "b/é", "x y/a", "x y/.a"} {
		p := filepath.Join(root, name)
		if os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, nil, 0o644) != nil {
			f.Fatal("cannot write")
		}
	}
	os.Symlink("b", filepath.Join(root, "link"))
	for _, s := range []string{"*", "**", "**/*", "*/**/a", "?", "?/a", "*a*", "b/**/a", ".*", "**/.*", "*/é", "x y/*", "l*/**/?b/a", "{a,ab}", "b/{a,**}", "a?*b", "*/*\xc3*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, glob string) {
		base, rest := anchor(root, glob)
		if base != root+"/" || !simple(rest) || !strings.ContainsAny(rest, "*?") || len(rest) > 40 || strings.Count(rest, "*") > 8 {
			return
		}
		tree := NewTree(nil)
		paths := func(way func(*walk) error) []string {
			w := &walk{t: tree, ctx: t.Context()}
			if way(w) != nil {
				return nil
			}
			var out []string
			for _, f := range sorted(w.found) {
				out = append(out, f.Path())
			}
			return out
		}
		here := paths(func(w *walk) error { return w.segments(base, rest) })
		// With an empty quote it is not a pattern that is walked here.
		there := paths(func(w *walk) error { return w.shell(base, rest+"''") })
		if strings.Join(here, "\n") != strings.Join(there, "\n") {
			t.Errorf("%q: %q, the shell says %q", glob, here, there)
		}
	})
}
