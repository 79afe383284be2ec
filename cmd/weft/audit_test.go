package main

import (
	"slices"
	"strings"
	"testing"
)

// TestPatterns: many files of one kind become one pattern, unless it would match written files.
func TestPatterns(t *testing.T) {
	for _, test := range []struct{ files, avoid, want string }{
		{"", "", ""},
		{"a.h", "", "a.h"},
		{"b.h a.h", "", "a.h b.h"},
		{"a.h b.h c.h", "", "*.h"},
		{"d/a.h d/b.h d/c.h d/x.c d/Makefile", "", "d/*.h d/Makefile d/x.c"},
		{"d/a.h d/b.h d/c.h", "d/gen.h", "d/a.h d/b.h d/c.h"},
		{"d/a.h d/b.h d/c.h", "e/gen.h d/gen.c", "d/*.h"},
		{"d/.a.h d/.b.h d/.c.h", "", "d/.a.h d/.b.h d/.c.h"},
		{"d/a d/b d/c", "", "d/a d/b d/c"},
		{"../a.h ../b.h ../c.h", "", "../*.h"},
		{"d/[x]/a.h d/[x]/b.h d/[x]/c.h d/{y}", "", `d/\[x\]/*.h d/\{y\}`},
		{"s/1/a.h s/1/b.h s/1/c.h s/2/a.h s/2/b.h s/2/c.h", "", "s/1/*.h s/2/*.h"},
		{"s/1/a.h s/1/b.h s/1/c.h s/2/a.h s/2/b.h s/2/c.h s/3/4/a.h s/3/4/b.h s/3/4/c.h", "", "s/**/*.h"},
		{"s/a.h s/b.h s/c.h s/2/a.h s/2/b.h s/2/c.h s/3/4/a.h s/3/4/b.h s/3/4/c.h", "", "s/**/*.h"},
		{"s/1/a.h s/1/b.h s/1/c.h s/2/a.h s/2/b.h s/2/c.h s/3/4/a.h s/3/4/b.h s/3/4/c.h", "s/out/x.h", "s/1/*.h s/2/*.h s/3/4/*.h"},
		{"1/a.h 1/b.h 1/c.h 2/a.h 2/b.h 2/c.h 3/a.h 3/b.h 3/c.h", "", "1/*.h 2/*.h 3/*.h"},
		{"../1/a.h ../1/b.h ../1/c.h ../2/a.h ../2/b.h ../2/c.h ../3/a.h ../3/b.h ../3/c.h", "", "../1/*.h ../2/*.h ../3/*.h"},
		{"s1/a.h s1/b.h s1/c.h s2/a.h s2/b.h s2/c.h s/3/a.h s/3/b.h s/3/c.h", "", "s/3/*.h s1/*.h s2/*.h"},
	} {
		files := strings.Fields(test.files)
		for range 3 { // in any order
			if got := strings.Join(patterns(files, strings.Fields(test.avoid)), " "); got != test.want {
				t.Errorf("%s without %s:\n got %s\nwant %s", test.files, test.avoid, got, test.want)
			}
			if len(files) > 1 {
				files = append(files[1:], files[0])
			}
		}
	}
}

// TestSummarized: more than a few files of one kind are one line.
func TestSummarized(t *testing.T) {
	got := summarized(strings.Fields("d/a.h d/b.h d/c.h d/d.h x .git/objects/1 .git/objects/2 .git/objects/3 .git/objects/4 e/1 e/2 e/3 e/4 f/1.c f/2.c f/3.c"))
	want := []string{".git/objects/* (4 files)", "d/*.h (4 files)", "e/1", "e/2", "e/3", "e/4", "f/1.c", "f/2.c", "f/3.c", "x"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestYAMLText: text printed for insertion is read as the same value.
func TestYAMLText(t *testing.T) {
	for text, want := range map[string]string{"a b": "'a b'", "it's": "'it''s'", "a\nb": `"a\nb"`, "\x1b[m": `"\u001b[m"`, "ü: #": "'ü: #'"} {
		if got := yamlText(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
