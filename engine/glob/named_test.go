package glob

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestFiles: each path is examined once until something may have changed; paths without a file are
// returned separately.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("b", "1")
	write("a", "1")
	if err := os.Mkdir(at("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone", at("link")); err != nil {
		t.Fatal(err)
	}
	tree := NewTree(nil)
	see := func(want, wantNone []string) {
		t.Helper()
		files, none := tree.Files([]string{at("link"), at("b"), at("a"), at("b"), at("d"), at("a/x"), at("c")})
		var got []string
		for _, f := range files {
			got = append(got, f.Name())
		}
		for i := range wantNone {
			wantNone[i] = at(wantNone[i])
		}
		if !slices.Equal(got, want) || !slices.Equal(none, wantNone) {
			t.Errorf("%q and none at %q; want %q and %q", got, none, want, wantNone)
		}
	}
	see([]string{"a", "b", "link"}, []string{"d", "a/x", "c"})
	write("c", "1")
	see([]string{"a", "b", "link"}, []string{"d", "a/x", "c"}) // MarkDirty was not called since it was made
	tree.MarkChanged(at("c"))
	see([]string{"a", "b", "c", "link"}, []string{"d", "a/x"})
	os.Remove(at("a"))
	tree.MarkDirty()
	see([]string{"b", "c", "link"}, []string{"a", "d", "a/x"})
}

// TestMerge: every file once, in order, from both lists.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1", "a/2", "b", "c/1", "d"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree := NewTree(nil)
	for _, test := range []struct {
		found, named, want []string
		only               []int32
	}{
		{nil, nil, nil, nil},
		{[]string{"a/*"}, nil, []string{"a/1", "a/2"}, nil},
		{nil, []string{"b", "a/1"}, []string{"a/1", "b"}, []int32{0, 1}},
		{[]string{"*/*"}, []string{"a/2", "b", "d"}, []string{"a/1", "a/2", "b", "c/1", "d"}, []int32{2, 4}},
		{[]string{"a/2", "d"}, []string{"a/1", "a/2", "c/1"}, []string{"a/1", "a/2", "c/1", "d"}, []int32{0, 2}},
	} {
		found, err := tree.Find(t.Context(), dir, patterns(test.found...), false)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, n := range test.named {
			paths = append(paths, filepath.Join(dir, n))
		}
		named, _ := tree.Files(paths)
		all, only := Merge(found.Files, named)
		var got []string
		for _, f := range all {
			prefix, name := f.Place(dir)
			got = append(got, prefix+name)
		}
		if !slices.Equal(got, test.want) || !slices.Equal(only, test.only) {
			t.Errorf("%q and %q: %q, %v; want %q, %v", test.found, test.named, got, only, test.want, test.only)
		}
	}
}
