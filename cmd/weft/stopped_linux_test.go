package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/procstat"
)

// TestStoppedAcrossLimit: weft is stopped, and continued after a time limit has passed. A command
// that ended within the limit has not timed out, another one has.
func TestStoppedAcrossLimit(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	const tasks = `tasks:
  command: {cmds: [{cmd: sh wait.sh, timeout: 1s}]}
  exec: {cmds: [{exec: [sh, wait.sh], timeout: 1s}]}
  script: {cmds: [{cmd: 'sh wait.sh; echo more >>log', timeout: 1s}]}
  task: {timeout: 1s, cmds: [sh wait.sh, echo more >>log]}
  call: {cmds: [{task: slow, timeout: 1s}]}
  need: {deps: [{task: slow, timeout: 1s}]}
  slow: sh wait.sh
  pipe: {cmds: [{pipe: [sh wait.sh, cat], timeout: 1s}]}
  idle: {cmds: [{cmd: sh wait.sh, idle_timeout: 1s}]}
  retry: {cmds: [{cmd: sh wait.sh, timeout: 1s, retry: {max: 1, on: [timeout]}}]}
  ends: {cmds: [{cmd: sh wait.sh 3, timeout: 1s, ignore_error: true}]}
`
	for _, test := range []struct {
		task string
		ends bool // the command ends within the limit
		log  string
		code int
	}{
		{"command", true, "ended\n", 0},
		{"exec", true, "ended\n", 0},
		{"script", true, "ended\nmore\n", 0},
		{"task", true, "ended\nmore\n", 0},
		{"call", true, "ended\n", 0},
		{"need", true, "ended\n", 0},
		{"pipe", true, "ended\n", 0},
		{"idle", true, "ended\n", 0},
		{"retry", true, "ended\n", 0},
		{"ends", true, "ended\n", 0},
		{"command", false, "", 208},
		{"call", false, "", 208},
		{"idle", false, "", 208},
	} {
		name := test.task
		if !test.ends {
			name += " goes on"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, map[string]string{"Taskfile.yml": tasks,
				"wait.sh": "echo $$ >pid.new; mv pid.new pid\nuntil [ -e go ]; do sleep 0.01; done\necho ended >>log; exit $1\n"})
			in := func(name string) string { return filepath.Join(dir, name) }
			var out bytes.Buffer
			cmd := exec.Command("weft", test.task)
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			var pid int
			if !eventually(func() bool {
				b, _ := os.ReadFile(in("pid"))
				pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
				return pid > 0
			}) {
				t.Fatal("it does not start")
			}
			over := time.Now().Add(limit)
			cmd.Process.Signal(syscall.SIGSTOP)
			if !eventually(func() bool { return stopped(cmd.Process.Pid) }) {
				t.Fatal("weft is not stopped")
			}
			if time.Now().After(over.Add(-limit / 2)) {
				t.Skip("the machine is too slow for the limit")
			}
			if test.ends {
				os.WriteFile(in("go"), nil, 0o600)
				if !eventually(func() bool { return !running(pid) }) {
					t.Fatal("the command does not end")
				}
			}
			time.Sleep(time.Until(over.Add(limit / 4)))
			cmd.Process.Signal(syscall.SIGCONT)
			cmd.Wait()
			log, _ := os.ReadFile(in("log"))
			if cmd.ProcessState.ExitCode() != test.code || string(log) != test.log {
				t.Errorf("%v, log %q, want %d and %q; it said %s", cmd.ProcessState, log, test.code, test.log, out.String())
			}
		})
	}
}

// stopped reports whether a process is stopped by a signal.
func stopped(pid int) bool {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	s, _ := procstat.Parse(stat)
	return s.State == 'T'
}
