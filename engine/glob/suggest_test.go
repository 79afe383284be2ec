package glob

import (
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

func TestSuggest(t *testing.T) {
	root := fixture(t, `["d/a", "[x]/b$c"]`)
	for glob, want := range map[string]string{
		"d":          "it is a directory: for the files in it write 'd/**/*'",
		"d/":         "it is a directory: for the files in it write 'd/**/*'",
		"!a":         "to leave files out, write {exclude: 'a'}",
		"[x]/b$c":    `its name contains special characters of patterns: write '\[x\]/b\$c'`,
		"[x]/*":      `its name contains special characters of patterns: write '\[x\]/*'`,
		"exclude: a": "to leave files out, write {exclude: 'a'}",
		"gone":       "",
		"d/*.x":      "",
	} {
		if got := NewTree(nil).Suggest(root, Pattern{Glob: glob}); got != want {
			t.Errorf("%s: %q, want %q", glob, got, want)
		}
	}
}

// Entries that patterns have to skip are reported once, unless a later pattern excludes them.
func TestWarnings(t *testing.T) {
	root := fixture(t, `["a", "link -> nowhere", "round -> round", "d/b"]`)
	for _, tt := range []struct {
		patterns []string
		names    []string
		warnings []string // about what
	}{
		{[]string{"*"}, []string{"a"}, []string{"link", "round"}},
		{[]string{"*", "l*", "link"}, []string{"a"}, []string{"link", "round"}},
		{[]string{"*", "!link"}, []string{"a"}, []string{"round"}},
		{[]string{"*", "!?ou*", "!l*"}, []string{"a"}, nil},
		{[]string{"link"}, nil, []string{"link"}},
		{[]string{"**/b"}, []string{"d/b"}, nil},
	} {
		tree := NewTree(nil)
		var told []string
		tree.Warn = func(d *diag.Diagnostic) { told = append(told, d.What) }
		for range 2 {
			names, err := tree.Names(t.Context(), root, patterns(tt.patterns...), false)
			if err != nil || !slices.Equal(names, tt.names) {
				t.Errorf("%q: %q, want %q (%v)", tt.patterns, names, tt.names, err)
			}
		}
		slices.Sort(told)
		if !slices.EqualFunc(told, tt.warnings, func(got, about string) bool { return strings.HasPrefix(got, `"`+about+`"`) }) {
			t.Errorf("%q: told %q, want %q", tt.patterns, told, tt.warnings)
		}
	}
}
