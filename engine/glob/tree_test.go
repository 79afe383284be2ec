package glob

import (
	"os"
	"path/filepath"
	"testing"
)

// A run sees the files that its own commands make, remove and change.
func TestDirty(t *testing.T) {
	root := fixture(t, `["src/a.c", "src/d/b.c"]`)
	path := func(name string) string { return filepath.Join(root, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string) {
		must(os.MkdirAll(filepath.Dir(path(name)), 0o755))
		must(os.WriteFile(path(name), nil, 0o644))
	}
	tree := NewTree(nil)
	count := func() int {
		found, err := tree.Names(t.Context(), root, patterns("src/**/*", "src/d/*"), false)
		must(err)
		return len(found)
	}
	if n := count(); n != 2 {
		t.Fatalf("%d files", n)
	}
	for i, change := range []func(){
		func() { write("src/d/new") },
		func() { write("src/e/new") },
		func() { must(os.Remove(path("src/d/new"))) },
		func() { must(os.Rename(path("src/e"), path("src/f"))) },
		func() { must(os.RemoveAll(path("src"))) },
	} {
		change()
		tree.MarkDirty()
		if n, want := count(), []int{3, 4, 3, 3, 0}[i]; n != want {
			t.Errorf("change %d: %d files, want %d", i, n, want)
		}
	}
}
