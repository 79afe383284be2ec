package cache

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A restore also works in a directory of the project on another mount.
func TestOtherMount(t *testing.T) {
	r := newRig(t)
	r.tree(small)
	r.save(1, "out", "top")
	r.clear()
	r.tree(map[string]string{"out/a": "old", "top": "old"})
	if err := syscall.Mount("tmpfs", filepath.Join(r.root, "out"), "tmpfs", 0, "size=4m"); err != nil {
		t.Skip("no mount: ", err)
	}
	defer syscall.Unmount(filepath.Join(r.root, "out"), 0)
	r.tree(map[string]string{"out/a": "old", "out/stale": "old"})
	r.must(r.restore(1, "out/a", "out/stale", "top"))
	r.mustLook(small)
}
