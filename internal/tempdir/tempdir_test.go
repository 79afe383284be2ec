package tempdir

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// TestClean: what is used stays, what was left does not, and what is of another kind is not touched.
func TestClean(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	used, err := New("weft-a-")
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(tmp, "weft-a-left")
	for _, dir := range []string{filepath.Join(left, "in", "sealed"), filepath.Join(tmp, "weft-b-left"), filepath.Join(tmp, "other")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(left, "in"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other", filepath.Join(tmp, "weft-a-link")); err != nil {
		t.Fatal(err)
	}
	Clean("weft-a-")
	if runtime.GOOS != "windows" { // which has no locks for directories
		if _, err := os.Lstat(left); err == nil {
			t.Error("what was left is still there")
		}
	}
	for _, name := range []string{filepath.Base(used.Path), "weft-b-left", "other", "weft-a-link"} {
		if _, err := os.Lstat(filepath.Join(tmp, name)); err != nil {
			t.Error(err)
		}
	}
	used.Remove()
	if _, err := os.Lstat(used.Path); err == nil {
		t.Error("it is still there")
	}
}

// TestConcurrently: nothing that is used is removed, even if it is not locked yet.
func TestConcurrently(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				Clean("weft-a-")
			}
		})
		wg.Go(func() {
			for range 50 {
				d, err := New("weft-a-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "x"), nil, 0o600); err != nil {
					t.Error(err)
				}
				d.Remove()
			}
		})
	}
	wg.Wait()
}
