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

// victim is a program that starts a child, whose child has a session of its own and no environment,
// and a daemon. These three ignore every signal that can be ignored, and hold weft's output open.
// Then the program executes the words that follow.
const victim = "probe A" +
	" fork:B,hold-stdout,ignore:TERM+HUP+INT,fork:C,hold-stdout,setsid,clean,ignore:TERM+HUP+INT,hold" +
	" fork:D,hold-stdout,setsid,daemon,ignore:TERM+HUP+INT,hold "

// survivors is a run of weft that starts processes which do not end by themselves. From their start
// on, they hold weft's output and a connection to the test open.
type survivors struct {
	probes *probe.Kit
	*exec.Cmd
	t      *testing.T
	output *os.File // the reading end: it reaches EOF when all processes have ended
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

// gone fails unless all processes of the run are dead within a time; 0 means now. It returns the
// output of weft and of these processes.
func (s *survivors) gone(within time.Duration) string {
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
		s.probes.AwaitAllDead() // an exiting process closes its files one after the other
	} else if alive := s.probes.Alive(); len(alive) > 0 {
		s.t.Fatalf("alive after weft: %s; it said %s", alive, said)
	}
	return string(said)
}

// twentySteps fails at its end: after a successful run, detached processes would be kept.
const twentySteps = `tasks:
  a: {cmds: [{for: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20], task: step}, 'exit 1']}
  step: VICTIM exit:0
`

// tenServices all run, each needing the one before it, when the run fails. Each is a program with a
// child, a grandchild in a session of its own and a daemon, which hold weft's output open.
const tenServices = `env: {S: 'probe A fork:B,hold-stdout,fork:C,hold-stdout,setsid,clean,hold fork:D,hold-stdout,setsid,daemon,hold hold'}
tasks:
  a: {deps: [s9], cmds: ['exit 1']}
  s0: {service: true, cmd: $S}
  s1: {service: true, deps: [s0], restart: always, cmd: $S}
  s2: {service: true, deps: [s1], cmd: $S}
  s3: {service: true, deps: [s2], cmd: $S}
  s4: {service: true, deps: [s3], cmds: [{defer: 'true'}, $S]}
  s5: {service: true, deps: [s4], cmds: ['true', $S]}
  s6: {service: true, deps: [s5], ready: {exec: 'true'}, cmd: $S}
  s7: {service: true, deps: [s6], alive: {exec: 'true', interval: 10ms}, cmd: $S}
  s8: {service: true, deps: [s7], cmd: $S}
  s9: {service: true, deps: [s8], cmd: $S}
`

// tenBehind are tasks that have ended while their background commands, which start such processes,
// still run.
const tenBehind = `tasks:
  a: {cmds: [/bin/true, {for: [1,2,3,4,5,6,7,8,9,10], task: step}, 'exit 1']}
  step: {cmds: [{cmd: 'VICTIM exit:0', background: true}, 'true']}
`

// TestKillAtEveryEvent kills weft, its process group or the keeper at an event of a run of twenty
// steps, of ten tasks with background commands, or of ten services, which all start processes that
// do not end by themselves. No process survives. WEFT_EVERY_EVENT=1 tests all events instead of
// some.
func TestKillAtEveryEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		tasks       string
		stride      int
		first, last int // events at the beginning and at the end during which the keeper may not run
		fewer       int // number of events that may be missing in a run
	}{
		"steps":    {twentySteps, 17, 20, 60, 5},
		"services": {tenServices, 11, 40, 15, 5}, // all may be announced before the first program starts
		"behind":   {tenBehind, 19, 20, 40, 40},  // there is an event for each leftover process that is found
	} {
		if os.Getenv("WEFT_EVERY_EVENT") != "" {
			tt.stride = 1
		}
		whole := newSurvivors(t, tt.tasks, "--events=events", "a")
		whole.start()
		whole.Wait()
		whole.gone(0)
		events, err := os.ReadFile(filepath.Join(whole.Dir, "events"))
		if err != nil {
			t.Fatal(err)
		}
		total := bytes.Count(events, []byte("\n"))
		if total < 70 {
			t.Fatalf("a run of %d events", total)
		}
		for who, ends := range map[string]string{"weft": "signal: killed", "group": "signal: killed", "keeper": "exit status 125"} {
			t.Run(name+" "+who, func(t *testing.T) {
				t.Parallel()
				for at := 1; at <= total-tt.fewer; at += tt.stride {
					s := newSurvivors(t, tt.tasks, "a")
					s.Env = append(s.Env, fmt.Sprintf("%s=%d %s", killAt, at, who))
					s.start()
					s.Wait()
					said := s.gone(patience)
					got := s.ProcessState.String()
					failed := name == "services" && who == "keeper" && got == "exit status 201" // before weft noticed that the keeper was dead
					if edge := who == "keeper" && (at < tt.first || at > total-tt.last); got != ends && !edge && !failed {
						t.Errorf("killed at event %d of %d: %s, want %s; it said %s", at, total, got, ends, said)
					}
				}
			})
		}
	}
}

// TestKillBoth kills weft and the keeper at the same time: the programs that weft started are still
// killed, and --reap finds the other processes.
func TestKillBoth(t *testing.T) {
	t.Parallel()
	s := newSurvivors(t, "tasks:\n  default: probe A ignore:TERM fork:B,ignore:TERM,hold hold\n")
	s.start()
	both := s.probes.Accept("A", "B")
	keeper := keeperOf(s.Process.Pid)
	if keeper == 0 {
		t.Fatal("no keeper")
	}
	s.Process.Signal(syscall.SIGSTOP) // otherwise weft might notice that the keeper is dead
	if err := unix.Waitid(unix.P_PID, s.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(keeper, syscall.SIGKILL)
	s.Process.Kill()
	s.Wait()
	both[0].AwaitDeath()
	if both[1].Dead() {
		t.Error("a grandchild died; who killed it?")
	}
	if out, err := exec.Command("weft", "--reap").CombinedOutput(); err != nil {
		t.Errorf("--reap: %v, %s", err, out)
	}
	both[1].AwaitDeath()
}

// TestNothingOutlives: when a run fails or is stopped in any way, no process of it is running after
// weft has ended.
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
		fails   string // the role of the probe that is told to fail
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
			a := s.probes.Accept("A", "B", "C", "D")[0]
			switch tt.fails {
			case "A":
				a.Send("exit:3")
			case "E":
				s.probes.Accept("E")[0].Send("exit:4")
			}
			for i, sig := range tt.signals {
				if i > 0 { // two signals at the same time would be merged into one
					a.Expect("INT 1")
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
