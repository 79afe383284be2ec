package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// victim starts three processes that ignore every polite signal and ends: a
// child, one in a session of its own without environment, and a daemon whose
// parents are gone. Each says hello to the pipe it is given and holds it open
// until death: the end of the pipe is the proof that none is left.
const victim = `#!/bin/sh
hold='trap "" TERM HUP INT; exec 9>>"$1" && echo hello >&9 && exec sleep 1000'
sh -c "$hold" hold "$1" >/dev/null 2>&1 &
env -i setsid /bin/sh -c "$hold" hold "$1" >/dev/null 2>&1 &
setsid sh -c "( $hold ) >/dev/null 2>&1 &" hold "$1"
`

// survivors is a directory with a run that leaves many processes behind.
type survivors struct {
	t    *testing.T
	dir  string
	pipe *os.File // the reading end
}

func newSurvivors(t *testing.T, taskfile string) *survivors {
	s := &survivors{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{"victim": victim, "Taskfile.yml": "version: '3'\nsilent: true\n" + taskfile} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(s.dir, "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.pipe = os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { s.pipe.Close() })
	s.hold().Close() // a pipe that nobody ever had open has not hung up
	return s
}

// hold opens the writing end.
func (s *survivors) hold() *os.File {
	s.t.Helper()
	f, err := os.OpenFile(s.pipe.Name(), os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// start starts weft, in a process group of its own, and returns the stream of
// its events.
func (s *survivors) start(args ...string) (*exec.Cmd, *bufio.Reader) {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close() })
	cmd := exec.Command("weft", append([]string{"--events", "fd:3"}, args...)...)
	cmd.Dir, cmd.ExtraFiles = s.dir, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	return cmd, bufio.NewReader(r)
}

// gone fails if anything of the run is alive: nobody holds the pipe, and nobody
// is about to open it.
func (s *survivors) gone(after string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		events := s.wait(end)
		left := s.named()
		if events&unix.POLLIN == 0 && events&unix.POLLHUP != 0 && len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: survivors; by name: %s", after, left)
		}
		s.read()
	}
}

// wait returns when something can be read from the pipe (POLLIN), or nobody
// holds its other end (POLLHUP).
func (s *survivors) wait(end time.Time) int16 {
	fds := []unix.PollFd{{Fd: int32(s.pipe.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, int(max(0, time.Until(end).Milliseconds())))
		if err != unix.EINTR {
			return fds[0].Revents
		}
	}
}

// read returns how many processes have said hello since it was last called.
func (s *survivors) read() int {
	b := make([]byte, 64<<10)
	n, _ := syscall.Read(int(s.pipe.Fd()), b)
	return bytes.Count(b[:max(n, 0)], []byte("hello"))
}

// named returns the processes that have our directory in their command line.
func (s *survivors) named() (found []string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		if line, _ := os.ReadFile(name); bytes.Contains(line, []byte(s.dir)) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// keeperOf returns the process that keeps what weft started, or 0.
func keeperOf(pid int) int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			if comm, _ := os.ReadFile("/proc/" + f + "/comm"); string(comm) == "wf-keeper\n" {
				n, _ := strconv.Atoi(f)
				return n
			}
		}
	}
	return 0
}

// twentySteps fails at its end: after a run that succeeded those who detached
// would stay.
const twentySteps = `tasks:
  a: {cmds: [{for: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20], task: step}, 'exit 1']}
  step: ./victim "$PWD/pipe"
`

// TestKillAtEveryEvent kills weft, its process group or the process that keeps
// its children, at each event of a run of twenty steps that leave processes
// behind. None survives. WEFT_EVERY_EVENT=1 leaves no event out.
func TestKillAtEveryEvent(t *testing.T) {
	stride := 17
	if os.Getenv("WEFT_EVERY_EVENT") != "" {
		stride = 1
	}
	for name, kill := range map[string]func(pid int){
		"weft":  func(pid int) { syscall.Kill(pid, syscall.SIGKILL) },
		"group": func(pid int) { syscall.Kill(-pid, syscall.SIGKILL) },
		"keeper": func(pid int) {
			if keeper := keeperOf(pid); keeper != 0 {
				pid = keeper // else nothing was started yet, or all is over
			}
			syscall.Kill(pid, syscall.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at += stride {
				s := newSurvivors(t, twentySteps)
				cmd, events := s.start("a")
				seen := 0
				for ; seen < at; seen++ {
					if _, err := events.ReadString('\n'); err != nil {
						break
					}
				}
				if seen == at {
					kill(cmd.Process.Pid)
				}
				for err := error(nil); err == nil; {
					_, err = events.ReadString('\n')
				}
				cmd.Wait()
				s.gone(fmt.Sprintf("killed at event %d", at))
				if seen < at {
					if seen < 100 {
						t.Errorf("only %d events", seen)
					}
					return
				}
			}
		})
	}
}

// TestNothingOutlives: whatever way a run that does not succeed ends, nothing it
// started is there when weft has ended.
func TestNothingOutlives(t *testing.T) {
	const tasks = `tasks:
  hold: {cmds: ['./victim "$PWD/pipe"', 'sleep 1000']}
  fail: {cmds: ['./victim "$PWD/pipe"', 'until [ -s said ]; do sleep 0.01; done; exit 3']}
  late: {cmds: [{cmd: './victim "$PWD/pipe"; sleep 1000', timeout: 3s}]}
  other: {cmds: ['until [ -s said ]; do sleep 0.01; done; exit 4']}
  first: {failfast: true, deps: [{task: hold}, other]}
`
	for name, tt := range map[string]struct {
		task    string
		signals []syscall.Signal
		ends    string
	}{
		"failure":    {"fail", nil, "exit status 201"},
		"time limit": {"late", nil, "exit status 208"},
		"failfast":   {"first", nil, "exit status 201"},
		"SIGTERM":    {"hold", []syscall.Signal{syscall.SIGTERM}, "signal: terminated"},
		"SIGHUP":     {"hold", []syscall.Signal{syscall.SIGHUP}, "signal: hangup"},
		"SIGINT":     {"hold", []syscall.Signal{syscall.SIGINT}, "signal: interrupt"},
		"twice":      {"hold", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, "signal: interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSurvivors(t, tasks)
			cmd, _ := s.start(tt.task)
			hellos := 0
			// Held open here as well, so that waiting does not end before the
			// first of them is there.
			hold := s.hold()
			for end := time.Now().Add(patience); hellos < 3 && time.Now().Before(end); {
				s.wait(end)
				hellos += s.read()
			}
			hold.Close()
			if hellos < 3 {
				t.Fatalf("%d processes said hello", hellos)
			}
			if err := os.WriteFile(filepath.Join(s.dir, "said"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, sig := range tt.signals {
				cmd.Process.Signal(sig)
			}
			cmd.Wait()
			if got := cmd.ProcessState.String(); got != tt.ends {
				t.Errorf("ended with %q, want %q", got, tt.ends)
			}
			// Not a moment later: this is what weft's end means.
			if left := s.named(); len(left) > 0 {
				t.Errorf("alive after weft: %s", left)
			}
			s.gone(name)
		})
	}
}
