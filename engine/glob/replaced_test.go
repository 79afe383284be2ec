//go:build unix

package glob

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// twoTrees makes two directories, each with a file of another name and one of the same name, size
// and age, and a link to the first. They are old enough for their times to prove something.
func twoTrees(t *testing.T) (dir string, point func(to string)) {
	dir = t.TempDir()
	for _, name := range [...]string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range [...]string{"only" + name, "same"} {
			if err := os.WriteFile(filepath.Join(dir, name, file), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitUntilOld(t, filepath.Join(dir, "b"))
	return dir, func(to string) {
		next := filepath.Join(dir, "next")
		if err := os.Symlink(to, next); err != nil {
			t.Error(err)
		}
		if err := os.Rename(next, filepath.Join(dir, "link")); err != nil {
			t.Error(err)
		}
	}
}

// waitUntilOld waits until the times of a file prove something.
func waitUntilOld(t *testing.T, name string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		st, err := statPath(name, true)
		if err == nil && !st.Recent(time.Now()) {
			return
		}
		if time.Now().After(end) {
			t.Fatal(name, " stays young: ", err)
		}
	}
}

// TestReplacedWhileListing replaces a link while the directory behind it is listed and its files
// are read. What the next search finds is what is there then.
func TestReplacedWhileListing(t *testing.T) {
	dir, point := twoTrees(t)
	point("a")
	tree := NewTree(nil)
	find := func() (names []string, same Digest) {
		tree.MarkDirty()
		found, err := tree.Digests(t.Context(), filepath.Join(dir, "link"), patterns("*"), false)
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range found {
			names = append(names, filepath.Base(name))
			if filepath.Base(name) == "same" {
				same = d
			}
		}
		slices.Sort(names)
		return names, same
	}
	want := map[string]Digest{}
	for _, name := range [...]string{"a", "b"} {
		want[name] = NewTree(nil).DigestOf(t.Context(), filepath.Join(dir, name, "same"))
	}
	for i := range 2000 {
		to := [...]string{"a", "b"}[i%2]
		var wg sync.WaitGroup
		wg.Go(func() {
			for j := range 4 {
				point([...]string{"a", "b"}[(i+j+1)%2])
			}
		})
		find()
		wg.Wait()
		if names, same := find(); !slices.Equal(names, []string{"only" + to, "same"}) || same != want[to] {
			t.Fatalf("round %d: the link leads to %s, and the search finds %q, with the content of that directory: %v", i, to, names, same == want[to])
		}
	}
}

// TestStatOfOpenDirectory: a listing belongs to the directory that was opened, not to the one that
// is at its path by now.
func TestStatOfOpenDirectory(t *testing.T) {
	if listsByPath {
		t.Skip("directories are listed by their paths")
	}
	dir, point := twoTrees(t)
	point("a")
	fd, err := openDir(filepath.Join(dir, "link"))
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(fd)
	point("b")
	got, err := statDir(fd, filepath.Join(dir, "link"))
	if want, _ := statPath(filepath.Join(dir, "a"), true); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
