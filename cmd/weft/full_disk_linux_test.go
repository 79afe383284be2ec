package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a disk of 64 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("only root may mount a disk that small: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestFullDisk: if the state cannot be written the work is still done, the loss is reported, and
// nothing counts as up to date without a record.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
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

// TestFullDiskOfCache: a result that does not fit into the cache is not kept, and a failed restore
// changes nothing.
func TestFullDiskOfCache(t *testing.T) {
	disk, project := smallDisk(t), t.TempDir()
	write := func(dir string) {
		t.Helper()
		taskfile := "version: '3'\ntasks:\n  default:\n    cache: true\n    sources: [in]\n    generates: [out/*]\n" +
			"    cmds: ['mkdir -p out && head -c 50000 /dev/zero >out/a && head -c 50000 /dev/zero | tr \"\\0\" x >out/b']\n"
		for name, text := range map[string]string{"Taskfile.yml": taskfile, "in": "content\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(dir, cache string) (string, error) {
		cmd := exec.Command("weft")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WEFT_CACHE_DIR="+cache)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	write(project)
	if out, err := run(project, filepath.Join(disk, "cache")); err != nil || !strings.Contains(out, "was not stored in the cache") || !strings.Contains(out, "no space left on device") {
		t.Errorf("%v: the cache is on a full disk: %s", err, out)
	}
	if out, err := run(project, filepath.Join(disk, "cache")); err != nil || !strings.Contains(out, "is up to date") {
		t.Errorf("%v: the run after that: %s", err, out)
	}
	os.RemoveAll(filepath.Join(disk, "cache"))
	os.RemoveAll(filepath.Join(project, ".weft"))
	cache := filepath.Join(t.TempDir(), "cache")
	if out, err := run(project, cache); err != nil || strings.Contains(out, "no space") {
		t.Errorf("%v: the cache has room: %s", err, out)
	}

	write(disk)
	if err := os.Mkdir(filepath.Join(disk, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(disk, "out", "old"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(disk, cache)
	if err == nil || !strings.Contains(out, "is not restored from the cache, and runs") || strings.Contains(out, "was restored") {
		t.Errorf("%v: the project is on a full disk: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(disk, "out", "old")); err != nil {
		t.Error("what was there is gone:", err)
	}
	if left, _ := filepath.Glob(filepath.Join(disk, "*.weft-tmp")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestFullDiskOfHistory: a run that cannot be recorded completely is like any other, without a
// message.
func TestFullDiskOfHistory(t *testing.T) {
	dir := smallDisk(t)
	taskfile := "version: '3'\nsilent: true\ntasks:\n  default: 'echo hello'\n  much: 'seq 20000'\n  fails: 'seq 20000; exit 3'\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		cmd := exec.Command("weft", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WEFT_HISTORY=")
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	quiet := func(when string) {
		t.Helper()
		if out, errs, code := run(); out != "hello\n" || errs != "" || code != 0 {
			t.Errorf("%s: exit code %d, %q, %q", when, code, out, errs)
		}
	}
	quiet("with room")
	if out, errs, code := run("-o", "group", "much"); len(out) != 108894 || errs != "" || code != 0 {
		t.Errorf("a log that is too large: exit code %d, %d bytes, %q", code, len(out), errs)
	}
	if out, _, code := run("-o", "group", "fails"); len(out) != 108894 || code != 201 {
		t.Errorf("a log that is too large, of a failure: exit code %d, %d bytes", code, len(out))
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	quiet("without any room")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, name := range [...]string{"000002.log", "000003.log"} {
		os.Remove(filepath.Join(dir, ".weft", "runs", name))
	}
	quiet("with room again")
	out, errs, code := run("--history")
	if !strings.Contains(out, "succeeded") || errs != "" || code != 0 {
		t.Errorf("the list: exit code %d, %q, %q", code, out, errs)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	quiet("read-only")
	again, errs, code := run("--history")
	if again != out || !strings.Contains(errs, "weft: runs are not recorded: "+dir) || strings.Count(errs, "\n") != 1 || code != 0 {
		t.Errorf("the list of a read-only directory: exit code %d, %q, %q", code, again, errs)
	}
}
