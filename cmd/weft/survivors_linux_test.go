package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/probe"
)

// victim is a program that starts a child with a child in a session of its own
// and without environment, and a daemon; these three ignore every polite signal,
// and hold weft's output. Then it does what follows.
const victim = "probe A" +
	" fork:B,hold-stdout,ignore:TERM+HUP+INT,fork:C,hold-stdout,setsid,clean,ignore:TERM+HUP+INT,hold" +
	" fork:D,hold-stdout,setsid,daemon,ignore:TERM+HUP+INT,hold "

// survivors is a run of weft that leaves processes behind. They hold its output,
// from their first moment on, and a connection to the test.
type survivors struct {
	probes *probe.Kit
	*exec.Cmd
	t      *testing.T
	output *os.File // the reading end, which has its end when nobody is left
}

func newSurvivors(t *testing.T, tasks string, args ...string) *survivors {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	s := &survivors{probes: probe.New(t), Cmd: exec.Command("weft", args...), t: t, output: r}
	s.Dir = project(t, map[string]string{"Taskfile.yml": strings.ReplaceAll(tasks, "VICTIM ", victim)})
	s.Env = append(os.Environ(), s.probes.Env())
	s.Stdout, s.Stderr = w, w
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return s
}

// start starts weft.
func (s *survivors) start() {
	s.t.Helper()
	if err := s.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.Stdout.(*os.File).Close()
}

// gone fails unless everything of the run is dead within a time; 0 is this moment.
func (s *survivors) gone(within time.Duration) {
	s.t.Helper()
	fds := []unix.PollFd{{Fd: int32(s.output.Fd()), Events: unix.POLLIN}}
	var said []byte
	for end := time.Now().Add(within); ; {
		_, err := unix.Poll(fds, int(max(0, time.Until(end).Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		if fds[0].Revents != 0 {
			b := make([]byte, 4096)
			if n, _ := syscall.Read(int(fds[0].Fd), b); n > 0 {
				said = append(said, b[:n]...)
				continue
			}
		}
		if fds[0].Revents == 0 {
			s.t.Fatalf("alive after weft: %s, or others that hold its output; it said %s", s.probes.Alive(), said)
		}
		break
	}
	if within > 0 {
		s.probes.AllGone() // a process lets go of all it has open one after the other
	} else if alive := s.probes.Alive(); len(alive) > 0 {
		s.t.Fatalf("alive after weft: %s; it said %s", alive, said)
	}
}

// twentySteps fails at its end: after a run that succeeded those who detached
// would stay.
const twentySteps = `tasks:
  a: {cmds: [{for: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20], task: step}, 'exit 1']}
  step: VICTIM exit:0
`

// TestKillAtEveryEvent kills weft, its process group or the process that keeps
// its children, at each event of a run of twenty steps that leave processes
// behind. None survives. WEFT_EVERY_EVENT=1 leaves no event out.
func TestKillAtEveryEvent(t *testing.T) {
	stride := 17
	if os.Getenv("WEFT_EVERY_EVENT") != "" {
		stride = 1
	}
	whole := newSurvivors(t, twentySteps, "--events=events", "a")
	whole.start()
	whole.Wait()
	whole.gone(0)
	events, err := os.ReadFile(filepath.Join(whole.Dir, "events"))
	if err != nil {
		t.Fatal(err)
	}
	total := bytes.Count(events, []byte("\n"))
	if total < 100 {
		t.Fatalf("a run of %d events", total)
	}
	for who, ends := range map[string]string{"weft": "signal: killed", "group": "signal: killed", "keeper": "exit status 125"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= total; at += stride {
				s := newSurvivors(t, twentySteps, "a")
				s.Env = append(s.Env, fmt.Sprintf("%s=%d %s", killAt, at, who))
				s.start()
				s.Wait()
				s.gone(patience)
				got := s.ProcessState.String()
				// Before the first program and after the last there is no keeper.
				if edge := who == "keeper" && (at < 20 || at > total-60); got != ends && !edge {
					t.Errorf("killed at event %d of %d: %s, want %s", at, total, got, ends)
				}
			}
		})
	}
}

// TestKillBoth kills weft and the process that keeps its children at the same
// moment: what weft started itself dies all the same, and --reap finds the rest.
func TestKillBoth(t *testing.T) {
	t.Parallel()
	s := newSurvivors(t, "tasks:\n  default: probe A ignore:TERM fork:B,ignore:TERM,hold hold\n")
	s.start()
	both := s.probes.Meet("A", "B")
	keeper := keeperOf(s.Process.Pid)
	if keeper == 0 {
		t.Fatal("no keeper")
	}
	s.Process.Signal(syscall.SIGSTOP) // else weft might notice in between
	if err := unix.Waitid(unix.P_PID, s.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(keeper, syscall.SIGKILL)
	s.Process.Kill()
	s.Wait()
	both[0].Gone()
	if both[1].Dead() {
		t.Error("a grandchild died; who killed it?")
	}
	if out, err := exec.Command("weft", "--reap").CombinedOutput(); err != nil {
		t.Errorf("--reap: %v, %s", err, out)
	}
	both[1].Gone()
}

// TestNothingOutlives: whatever way a run that does not succeed ends, nothing it
// started is there when weft has ended.
func TestNothingOutlives(t *testing.T) {
	const tasks = `tasks:
  hold: VICTIM ignore:TERM+HUP hold
  count: VICTIM count:INT hold
  late: {cmds: [{cmd: 'VICTIM ignore:TERM hold', timeout: 3s}]}
  other: probe E hold
  first: {failfast: true, deps: [{task: hold}, other]}
`
	for name, tt := range map[string]struct {
		task    string
		fails   string // the role that is told to
		signals []syscall.Signal
		ends    string
	}{
		"failure":    {"hold", "A", nil, "exit status 201"},
		"time limit": {"late", "", nil, "exit status 208"},
		"failfast":   {"first", "E", nil, "exit status 201"},
		"SIGTERM":    {"hold", "", []syscall.Signal{syscall.SIGTERM}, "signal: terminated"},
		"SIGHUP":     {"hold", "", []syscall.Signal{syscall.SIGHUP}, "signal: hangup"},
		"SIGINT":     {"hold", "", []syscall.Signal{syscall.SIGINT}, "signal: interrupt"},
		"twice":      {"count", "", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, "signal: interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSurvivors(t, tasks, tt.task)
			s.start()
			a := s.probes.Meet("A", "B", "C", "D")[0]
			switch tt.fails {
			case "A":
				a.Tell("exit:3")
			case "E":
				s.probes.Meet("E")[0].Tell("exit:4")
			}
			for i, sig := range tt.signals {
				if i > 0 { // two that come at once are one
					a.Hear("INT 1")
				}
				s.Process.Signal(sig)
			}
			s.Wait()
			s.gone(0)
			if got := s.ProcessState.String(); got != tt.ends {
				t.Errorf("ended with %q, want %q", got, tt.ends)
			}
		})
	}
}
