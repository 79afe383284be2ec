package glob

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGenerated: each alternative of a generated pattern is one of its own, in the file system and
// among names. What is missing is reported, and does not hide the rest.
func TestGenerated(t *testing.T) {
	root := fixture(t, `["w/f", "w/g", "w/d/x", "w/d/.h", "w/d/e/y", "w/d2/z", "w/empty/", "w/void/", "w/l -> d", "out"]`)
	dir := root + "/w"
	tests := []struct {
		patterns  string // separated by spaces
		found     string
		unmatched string
	}{
		{"{d2,d/**,f}", "d/e/y d/x d2/z f", ""},
		{"{out,d/**,TT}", "d/e/y d/x", "out"},
		{"{d2,d/**,TT}", "d/e/y d/x d2/z", "TT"},
		{"{TT,f}", "f", "TT"},
		{"{f,d}", "d/.h d/e/y d/x f", ""},
		{"{f,d/}", "d/.h d/e/y d/x f", ""},
		{"{f,l}", "f l/e/y l/x", ""},
		{"{f,{d2,{TT,g}}}", "d2/z f g", "TT"},
		{"{TT,f,UU,g}", "f g", "TT"},
		{"{d,x}/{x,TT}", "d/x", "d/TT"},
		{"{TT,UU}", "", "TT"},
		{"{f,N*}", "f", ""},
		{"{N*,M*}", "", "{N*,M*}"},
		{"{d*,f}", "d/e/y d/x d2/z f", ""},
		{"{[d]2,f}", "d2/z f", ""},
		{"{[d]2,TT,f}", "d2/z f", "TT"},
		{"{'d2',f}", "d2/z f", ""},
		{"{empty,f}", "f", ""},
		{"{empty,void}", "", "{empty,void}"}, // directories, see IsDirectory
		{"d", "d/.h d/e/y d/x", ""},
		{"[d]2", "d2/z", ""},
		{"TT", "", "TT"},
		{"d* !{d2,TT}", "d/e/y d/x", ""},
		{"{f,g} !{TT,f}", "g", ""},
		{"{../out,f}", "../out f", ""},
		{"{../TT,f}", "f", "../TT"},
		{root + "/{TT,out}", "../out", "../TT"},
		{"{f,d", "", "{f,d"},
	}
	for _, tt := range tests {
		ps := patterns(strings.Fields(tt.patterns)...)
		paths := func(tree *Tree) (string, []Pattern) {
			set, err := tree.FindGenerated(t.Context(), dir, ps)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, f := range set.Files {
				prefix, name := f.Place(dir)
				out = append(out, prefix+name)
			}
			return strings.Join(out, " "), set.Unmatched
		}
		found, unmatched := paths(NewTree(nil))
		var globs []string
		for _, p := range unmatched {
			globs = append(globs, p.Glob)
		}
		if found != tt.found || strings.Join(globs, " ") != tt.unmatched {
			t.Errorf("%s: %q, unmatched %q; want %q, %q", tt.patterns, found, globs, tt.found, tt.unmatched)
		}
		var names []string
		for _, name := range []string{"f", "g", "d/x", "d/.h", "d/e/y", "d2/z", "l/x", "l/e/y", "../out"} {
			names = append(names, filepath.Join(dir, name))
		}
		if found, _ := paths(NewNameTree(names, nil)); found != tt.found {
			t.Errorf("%s, among names: %q, want %q", tt.patterns, found, tt.found)
		}
	}
}

// A pattern of a list that is generated matches as in FindGenerated, and the others do not.
func TestGeneratedExcluded(t *testing.T) {
	root := fixture(t, `["w/f", "w/d/x", "w/d2/y"]`)
	all := Pattern{Glob: "**/*"}
	for _, tt := range []struct {
		p    Pattern
		want []string
	}{
		{Pattern{Glob: "{d,TT}", Exclude: true}, []string{"d/x", "d2/y", "f"}},
		{Pattern{Glob: "{d,TT}", Exclude: true, Generated: true}, []string{"d2/y", "f"}},
	} {
		got, err := NewTree(nil).Names(t.Context(), root+"/w", []Pattern{all, tt.p}, false)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, %v, want %q", tt.p, got, err, tt.want)
		}
	}
}

func TestAlternatives(t *testing.T) {
	for glob, want := range map[string]string{
		"a": "a", "{a,b}": "a b", "x{a,{b,c}/*}y": "xay xb/*y xc/*y", "{a": "{a", "{a}": "{a}", "{1..3}": "1 2 3", "$X{a,b}": "$X{a,b}",
		"{[a],b}": "{[a],b}", "{**,a}/z": "{**,a}/z", "{a b,(c)}": "a b (c)", "d/": "d/", "../{a,b}": "../a ../b",
	} {
		got := Alternatives(glob)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", glob, got, want)
		}
	}
}
