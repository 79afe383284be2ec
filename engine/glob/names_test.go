package glob

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNames: with the paths of all files of a fixture, patterns match as in the file system; where
// an alternative in braces makes a pattern fail there, they match more.
func TestNames(t *testing.T) {
	data, err := os.ReadFile("testdata/globs.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, more := 0, 0
	for part := range strings.SplitSeq("\n"+string(data), "\nfixture ") {
		head, lines, _ := strings.Cut(part, "\n")
		name, spec, ok := strings.Cut(head, " ")
		if !ok || strings.Contains(spec, " -> ") {
			continue
		}
		spec, gitignore := strings.CutSuffix(spec, " gitignore")
		root := fixture(t, spec)
		var paths []string
		filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				paths = append(paths, p)
			}
			return err
		})
		real := testTree(root)
		known := NewNameTree(append(slices.Clone(paths), paths...), nil)
		known.environ = real.environ
		for line := range strings.Lines(lines) {
			in, _, _ := strings.Cut(line, "\t")
			var pats []string
			decodeJSON(t, in, &pats)
			want, err := real.Names(t.Context(), root+"/w", patterns(pats...), gitignore)
			if err != nil {
				t.Fatal(err)
			}
			got, err := known.Names(t.Context(), root+"/w", patterns(pats...), gitignore)
			missing := slices.ContainsFunc(want, func(p string) bool { return !slices.Contains(got, p) })
			if braces := strings.Contains(in, "{"); err != nil || missing || len(got) > len(want) && !braces {
				t.Errorf("%s: %s:\n got %q\nwant %q (error %v)", name, in, got, want, err)
			}
			if cases++; len(got) > len(want) {
				more++
			}
		}
	}
	if cases < 100 || more > cases/10 {
		t.Errorf("%d cases, %d of them with more files", cases, more)
	}
}

// A file that was removed is found, and a path may be that of a file and of a directory.
func TestRemovedNames(t *testing.T) {
	root := t.TempDir()
	tree := NewNameTree([]string{root + "/src/gone.c", root + "/src/sub/a.c", root + "/src/sub", root + "/.weft/state/x.c"}, nil)
	for glob, want := range map[string]string{
		"src/gone.c": "src/gone.c", "src/*.c": "src/gone.c", "**/*.c": "src/gone.c src/sub/a.c", "src/sub": "src/sub",
		"src/{gone,never}.c": "src/gone.c", "src/[g]one.c": "src/gone.c", "*/sub/*": "src/sub/a.c", "src": "", ".weft/**/*": "",
		"../*/src/gone.c": "src/gone.c",
	} {
		got, err := tree.Names(context.Background(), root, patterns(glob), false)
		for i := range got {
			got[i] = strings.TrimPrefix(filepath.Join(root, got[i]), root+"/")
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %q", glob, got, err, want)
		}
	}
	if got, _ := tree.Names(context.Background(), root, patterns("src/**", "!src/gone.c"), false); !slices.Equal(got, []string{"src/sub", "src/sub/a.c"}) {
		t.Errorf("without what is excluded: %q", got)
	}
}
