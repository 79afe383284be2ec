package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk: when the state cannot be written the work is done all the same,
// the loss is told, and nothing is taken for up to date that is not known to be.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("only root may mount a disk that small: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	taskfile := "version: '3'\ntasks:\n  default:\n    sources: [in]\n    cmds: ['cat in']\n"
	for name, text := range map[string]string{"Taskfile.yml": taskfile, "in": "content\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	run := func() string {
		t.Helper()
		cmd := exec.Command("weft")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	for range 2 {
		if out := run(); !strings.Contains(out, "content\n") || !strings.Contains(out, "no space left on device") {
			t.Errorf("on a full disk: %s", out)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if out := run(); !strings.Contains(out, "content\n") || strings.Contains(out, "no space") {
		t.Errorf("with room again: %s", out)
	}
	if out := run(); !strings.Contains(out, "is up to date") {
		t.Errorf("the run after that: %s", out)
	}
}
