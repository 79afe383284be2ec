package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var buildWorker = buildOnce("github.com/weftrun/weft/cmd/weft-companion/client/testdata/worker")

// startWorker starts a server that runs tasks, until the test ends, and returns the path of its socket. Nothing
// may be left of a task that it has run.
func startWorker(t *testing.T) (socket string) {
	t.Helper()
	bin, err := buildWorker()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "weft") // paths of sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	socket = filepath.Join(home, "s")
	work := filepath.Join(home, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "worker"), socket)
	cmd.Env = []string{"TMPDIR=" + work}
	started(t, cmd, func(err error) {
		if err != nil {
			return // the test has had it die
		}
		if left, err := filepath.Glob(filepath.Join(work, "*")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	return socket
}

// started starts a server and returns the first line of its output, which it writes when it listens. At the end of
// the test its input ends, and then ended is called with how it has ended.
func started(t *testing.T, cmd *exec.Cmd, ended func(error)) (line string) {
	t.Helper()
	end, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end.Close()
		ended(cmd.Wait())
	})
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the server does not listen: %q, %v", line, err)
	}
	return line
}
