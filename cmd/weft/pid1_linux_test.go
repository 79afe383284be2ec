package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// firstProcess is weft as the first process of a container.
type firstProcess struct {
	*exec.Cmd
	t   *testing.T
	dir string
	out strings.Builder
}

func newFirstProcess(t *testing.T, tasks string, args ...string) *firstProcess {
	t.Helper()
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("process namespaces are forbidden here: %v, %s", err, out)
	}
	f := &firstProcess{t: t, dir: project(t, map[string]string{"Taskfile.yml": tasks})}
	f.Cmd = exec.Command("unshare", append([]string{"--pid", "--fork", "--mount-proc", "--kill-child", "weft"}, args...)...)
	f.Dir, f.Stdout, f.Stderr = f.dir, &f.out, &f.out
	return f
}

// start starts it and returns weft's process id here, outside the container,
// once a task has made the file "ready".
func (f *firstProcess) start() int {
	f.t.Helper()
	if err := f.Start(); err != nil {
		f.t.Fatal(err)
	}
	if !eventually(func() bool { _, err := os.Stat(filepath.Join(f.dir, "ready")); return err == nil }) {
		f.t.Fatal("no task has begun")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", f.Process.Pid, f.Process.Pid))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if pid == 0 {
		f.t.Fatal(err, string(text))
	}
	return pid
}

// TestFirstProcess: the first process of a container gets only signals it has
// handlers for, cannot die of one, and inherits everybody's orphans.
func TestFirstProcess(t *testing.T) {
	const wait = "touch ready; while [ ! -e go ]; do sleep 0.01; done"
	t.Run("codes", func(t *testing.T) {
		for args, want := range map[string]int{"good": 0, "bad": 201, "-x bad": 7} {
			f := newFirstProcess(t, "tasks: {good: sh -c 'exit 0', bad: sh -c 'exit 7'}\n", strings.Fields(args)...)
			f.Run()
			if got := f.ProcessState.ExitCode(); got != want {
				t.Errorf("%s: exit code %d, want %d; %s", args, got, want, &f.out)
			}
		}
	})
	for sig, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130, syscall.SIGHUP: 129, syscall.SIGQUIT: 131} {
		t.Run(sig.String(), func(t *testing.T) {
			f := newFirstProcess(t, "tasks: {default: [{defer: echo deferred}, 'sh -c \""+wait+"\"']}\n")
			pid := f.start()
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			f.Wait()
			if got := f.ProcessState.ExitCode(); got != want || !strings.Contains(f.out.String(), "deferred") {
				t.Errorf("exit code %d, want %d; %s", got, want, &f.out)
			}
		})
	}
	t.Run("grace", func(t *testing.T) {
		f := newFirstProcess(t, "tasks: {short: {stop: {grace: 9s}, cmds: ['true']}, long: {cmds: [{parallel: [{cmd: 'true', stop: {grace: 60s}}]}]}}\n", "short")
		f.Run()
		if out := f.out.String(); strings.Count(out, "to end;") != 1 || !strings.Contains(out, `task "long" may take 1m0s to end; a container that is stopped has ten seconds`) {
			t.Errorf("it said %s", out)
		}
	})
	t.Run("strangers", func(t *testing.T) {
		f := newFirstProcess(t, "tasks: {default: 'sh -c \""+wait+"; ps -o pid=,stat=,comm= --ppid 1\"'}\n")
		pid := f.start()
		for range 50 {
			// A process that enters the container and leaves an orphan there.
			enter := exec.Command("nsenter", "--target", strconv.Itoa(pid), "--pid", "--mount", "sh", "-c", "(true & exec true) & exit")
			if out, err := enter.CombinedOutput(); err != nil {
				t.Skipf("nobody may enter: %v, %s", err, out)
			}
		}
		gone := func() bool {
			out, _ := exec.Command("ps", "-o", "stat=", "--ppid", strconv.Itoa(pid)).Output()
			return !strings.Contains(string(out), "Z")
		}
		if !eventually(gone) {
			t.Error("zombies stay")
		}
		if err := os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Wait(); err != nil {
			t.Errorf("%v; %s", err, &f.out)
		}
	})
}
