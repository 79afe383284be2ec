package glob

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/schema/diag"
)

// TestGlobReference compares with the matches of the reference (3.54.0), in loops over `sources` of
// a task in the directory w. testdata/globs.txt has fixtures, each followed by patterns (excluding
// ones begin with "!") and their matches, and their matches here if these differ. For fixtures
// called "dangling" the reference's matches are those without the dangling link: with it, the
// reference matches nothing.
func TestGlobReference(t *testing.T) {
	data, err := os.ReadFile("testdata/globs.txt")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq("\n"+string(data), "\nfixture ") {
		head, cases, _ := strings.Cut(part, "\n")
		name, spec, ok := strings.Cut(head, " ")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			spec, gitignore := strings.CutSuffix(spec, " gitignore")
			root := fixture(t, spec)
			for line := range strings.Lines(cases) {
				in, out, _ := strings.Cut(line, "\t")
				if _, ours, differs := strings.Cut(out, "\t"); differs {
					out = ours
				}
				var pats, want []string
				decodeJSON(t, in, &pats)
				decodeJSON(t, out, &want)
				got, err := testTree(root).Names(t.Context(), root+"/w", patterns(pats...), gitignore)
				got = slices.DeleteFunc(got, func(p string) bool { return strings.HasPrefix(p, "../.git/") })
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s (gitignore %v):\n got %q\nwant %q (error %v)", in, gitignore, got, want, err)
				}
			}
		})
	}
}

func testTree(root string) *Tree {
	return NewTree([]string{"FOO=src", "BAR=a1.txt b1.txt", "GL=a*.txt", "EMPTY=", "S=s", "X=m", "HOME=" + root + "/w/target"})
}

func patterns(globs ...string) []Pattern {
	ps := make([]Pattern, len(globs))
	for i, g := range globs {
		ps[i].Glob, ps[i].Exclude = strings.CutPrefix(g, "!")
	}
	return ps
}

func decodeJSON(t *testing.T, s string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
}

// fixture makes files from a JSON list: "path", "path/", "path = content",
// "path -> target of a link".
func fixture(t *testing.T, spec string) string {
	t.Helper()
	var files []string
	decodeJSON(t, spec, &files)
	root := t.TempDir()
	for _, f := range files {
		name, target, link := strings.Cut(f, " -> ")
		content := ""
		if !link {
			name, content, _ = strings.Cut(f, " = ")
		}
		p := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, p)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(p, 0o755)
		default:
			err = os.WriteFile(p, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Links to each other's directories: the paths through them are innumerable, but the walk ends, and
// reports what it skipped.
func TestManyLinks(t *testing.T) {
	var spec []string
	for a := 'a'; a < 'm'; a++ {
		for b := 'a'; b < 'm'; b++ {
			if a != b {
				spec = append(spec, fmt.Sprintf("%c/%c -> ../%c", a, b, b))
			}
		}
		spec = append(spec, fmt.Sprintf("%c/file", a))
	}
	b, _ := json.Marshal(spec)
	root := fixture(t, string(b))
	tree := NewTree(nil)
	tree.maxThroughLinks = 300
	var told []string
	tree.Warn = func(d *diag.Diagnostic) { told = append(told, d.Error()) }
	for _, glob := range []string{"a/**/file", "a/**/[f]ile"} {
		told, tree.warned = nil, nil
		got, err := tree.Names(t.Context(), root, patterns(glob), false)
		if err != nil || slices.Contains(got, "a/b/c/file") != (glob == "a/**/file") || len(told) != 1 || !strings.Contains(told[0], "too many paths through nested links") {
			t.Errorf("%s: %d files, %v, told %q", glob, len(got), err, told)
		}
	}
}
