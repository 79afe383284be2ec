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
	"time"
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
	return f.inside()
}

// inside returns the process id, here, of the first process of the container.
func (f *firstProcess) inside() int {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", f.Process.Pid, f.Process.Pid))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if pid == 0 {
		f.t.Fatal(err, string(text))
	}
	return pid
}

// TestFirstProcess: the first process of a container gets only signals it has
// handlers for, cannot die of one, and inherits all orphans.
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
		if out := f.out.String(); strings.Count(out, "to end;") != 1 || !strings.Contains(out, `task "long" may take 1m0s to end; everything must end within 9s of a signal`) {
			t.Errorf("it said %s", out)
		}
	})
	t.Run("within", func(t *testing.T) {
		t.Parallel()
		// Nothing ends by itself: not the command, its trap, or the deferred command.
		f := newFirstProcess(t, `tasks:
  default:
    deps: [other]
    cmds: [{defer: 'echo deferred; sh -c "trap : TERM; while :; do sleep 60; done"'}, {defer: 'echo too late; sleep 60'}, 'true']
  other:
    stop: {grace: 60s}
    cmds: [{defer: 'echo deferred; sleep 60'}, 'trap "sleep 60" EXIT; sh -c "trap : TERM; `+wait+`"']
`)
		const within = 4 * time.Second
		f.Env = append(os.Environ(), "WEFT_STOP_WITHIN="+within.String())
		pid := f.start()
		began := time.Now()
		syscall.Kill(pid, syscall.SIGTERM)
		syscall.Kill(pid, syscall.SIGTERM) // supervisors repeat it
		f.Wait()
		took := time.Since(began)
		if got := f.ProcessState.ExitCode(); got != 143 || strings.Count(f.out.String(), "deferred") != 1 {
			t.Errorf("exit code %d; %s", got, &f.out)
		}
		if took < within/2 || took > within+5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("example", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("node"); err != nil {
			t.Skip(err)
		}
		f := newFirstProcess(t, "tasks: {}\n", "serve")
		copyTree(t, filepath.Join(examplesDir, "container-entrypoint"), f.dir)
		log := filepath.Join(f.dir, "serve.log")
		out, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		f.Stdout, f.Stderr = out, out
		said := func(what string) bool { text, _ := os.ReadFile(log); return strings.Contains(string(text), what) }
		if err := f.Start(); err != nil {
			t.Fatal(err)
		}
		if !eventually(func() bool { return said("[api] listening") && said("[worker] working") && said(`"api" is ready`) }) {
			text, _ := os.ReadFile(log)
			t.Fatalf("the services are not up: %s", text)
		}
		began := time.Now()
		syscall.Kill(f.inside(), syscall.SIGTERM)
		f.Wait()
		text, _ := os.ReadFile(log)
		if code := f.ProcessState.ExitCode(); code != 143 || !said("answered everything") || !said("finished the last job") {
			t.Errorf("exit code %d; %s", code, text)
		}
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("it took %s; %s", took, text)
		}
	})
	for _, watching := range []bool{false, true} {
		t.Run(fmt.Sprintf("services, watching %t", watching), func(t *testing.T) {
			t.Parallel()
			// One needs the other, and none ends by itself: each gets the signal nevertheless.
			f := newFirstProcess(t, `tasks:
  default: {deps: [c, other]}
  a: {service: true, cmd: 'NAME=a exec ./stubborn', ready: {file: up-a, interval: 10ms}}
  b: {service: true, deps: [a], cmd: 'NAME=b exec ./stubborn', ready: {file: up-b, interval: 10ms}}
  c: {service: true, deps: [b], stop: {grace: 60s}, cmd: 'NAME=c exec ./stubborn', ready: {file: ready, interval: 10ms}}
  other: {service: true, cmd: 'NAME=other exec ./stubborn'}
`)
			if watching {
				f.Args = append(f.Args, "--watch")
			}
			stubborn := "#!/bin/bash\ntrap 'echo $NAME is told' TERM\ntouch up-$NAME\n[ $NAME = c ] && until [ -e up-other ]; do sleep 0.01; done && touch ready\nwhile :; do sleep 0.01; done\n"
			if err := os.WriteFile(filepath.Join(f.dir, "stubborn"), []byte(stubborn), 0o755); err != nil {
				t.Fatal(err)
			}
			const within = 3 * time.Second
			f.Env = append(os.Environ(), "WEFT_STOP_WITHIN="+within.String())
			pid := f.start()
			began := time.Now()
			syscall.Kill(pid, syscall.SIGTERM)
			f.Wait()
			took := time.Since(began)
			want := 143
			if watching {
				want = 0
			}
			if got := f.ProcessState.ExitCode(); got != want || strings.Count(f.out.String(), "is told") != 4 || strings.Contains(f.out.String(), "although") {
				t.Errorf("exit code %d; %s", got, &f.out)
			}
			if took < within/2 || took > within+5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
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
