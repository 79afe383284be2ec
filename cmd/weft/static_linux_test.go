package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestEmptyRoot runs the program in a file system that contains nothing else but a Taskfile, as in a
// container image from scratch: it must work without libraries, time zones, a user database and a
// temporary directory.
func TestEmptyRoot(t *testing.T) {
	root := t.TempDir()
	data, err := os.ReadFile(build(t))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("weft", string(data), 0o755)
	write("in.txt", "thread\n", 0o644)
	write("Taskfile.yml", `
version: '3'
tasks:
  default:
    sources: [in.txt]
    generates: [out.txt]
    cmds:
      - read -r line < in.txt; echo "$line" > out.txt; echo "woven from $line"
`, 0o644)

	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("/weft", args...)
		cmd.Dir, cmd.Env = "/", []string{"HOME=/"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if os.Geteuid() != 0 {
			ids := func(id int) []syscall.SysProcIDMap {
				return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
			}
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids(os.Getuid()), ids(os.Getgid())
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
			t.Skipf("this machine lets nobody change the root directory: %v", err)
		}
		if err != nil {
			t.Fatalf("weft %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := run("--version"); strings.Contains(out, "cgo") {
		t.Errorf("the program that is shipped says %q of itself", out)
	}
	if out := run("-s"); out != "woven from thread\n" {
		t.Errorf("the task printed %q", out)
	}
	if out := run(); !strings.Contains(out, "is up to date") {
		t.Errorf("the second run printed %q", out)
	}
}

// TestVersionNamesCgo checks that --version reports that the program was built with cgo.
func TestVersionNamesCgo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := filepath.Join(t.TempDir(), "weft")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("cgo needs a C compiler: %v\n%s", err, out)
	}
	out, err := exec.Command(bin, "--version").Output()
	if err != nil || !strings.Contains(string(out), "CGO_ENABLED=0") {
		t.Errorf("--version of a program built with cgo: %q, %v", out, err)
	}
}
