package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// refusal runs weft where something is missing, and fails unless the error names it, without
// messages of the Go runtime.
func refusal(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "goroutine") {
		t.Errorf("%v, %s; want %q", err, out, want)
	}
}

// TestFewDescriptors: with fewer descriptors than weft needs there is an error that
// names the limit.
func TestFewDescriptors(t *testing.T) {
	for _, n := range []string{"5", "6", "7", "10", "15"} {
		cmd := exec.Command("sh", "-c", "ulimit -n "+n+"; exec weft")
		cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: {deps: [a, b], cmds: ['echo x | cat']}, a: sh -c true, b: sh -c true}\n"})
		refusal(t, cmd, "weft: only "+n+" open files are allowed (ulimit -n); weft needs 16")
	}
	cmd := exec.Command("sh", "-c", "ulimit -n 64; exec weft")
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: 'echo x | cat'}\n"})
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "x\n" {
		t.Errorf("with enough of them: %v, %s", err, out)
	}
}

// TestFewProcesses: the same for processes.
func TestFewProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be a user without processes")
	}
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NPROC, nil, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Prlimit(0, unix.RLIMIT_NPROC, &old, nil)
	if err := unix.Prlimit(0, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 20, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	refusal(t, asNobody("--version"), "weft: only 20 processes and threads of a user are allowed (ulimit -u); weft needs 24")
}

// TestNoProc: without /proc the error names it.
func TestNoProc(t *testing.T) {
	cmd := exec.Command("unshare", "--mount", "sh", "-c", "while umount -l /proc 2>/dev/null; do :; done; exec weft")
	if err := exec.Command("unshare", "--mount", "sh", "-c", "while umount -l /proc 2>/dev/null; do :; done; test ! -e /proc/self").Run(); err != nil {
		t.Skip("a place without /proc cannot be made here: ", err)
	}
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: sh -c true}\n"})
	refusal(t, cmd, "start wf-keeper: /proc is not mounted")
}
