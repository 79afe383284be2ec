//go:build unix

package pipe

import (
	"os"
	"path/filepath"
	"testing"
)

// On systems without unnamed files, a leftover is removed by the next writer of the same target,
// and a file being written is not.
func TestBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for _, name := range []string{path + ".01234567.weft-tmp", path + ".note", filepath.Dir(path) + "/other.01234567.weft-tmp"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	one, err := openBeside(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	two, err := openBeside(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	first := &Target{File: one, path: path}
	if err := first.Commit(); err != nil {
		t.Error(err)
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if len(names) != 4 || names[0] != "other.01234567.weft-tmp" || names[1] != "out" || names[3] != "out.note" {
		t.Errorf("left: %q", names)
	}
}
