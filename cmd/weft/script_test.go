//go:build unix

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/weftrun/weft/cmd/weft/report/tracecheck"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/internal/probe"
	"github.com/weftrun/weft/internal/procstat"
	"go.uber.org/goleak"
)

// patience is the time limit of every wait for a condition. It is reached only if the condition
// never becomes true.
const patience = 20 * time.Second

// TestMain makes this test binary run the real main when scripts start it by a name of the program.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"weft":     mortal,
		"task":     main,
		"probe":    probe.Main,
		"fdserver": fdServer,
		"waiter":   waiter,

		"recorded-node": recordedNode,
	})
}

// heedSignals restores the default action of signals that the tests ignore because of nohup or a
// shell's &. The programs that the tests start would inherit that.
func heedSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// forgetSettings unsets the variables by which a CI system, an init or an outer weft configures the
// programs that the tests start. So these print the same everywhere, and record no history.
func forgetSettings() {
	for _, setting := range os.Environ() {
		switch name, _, _ := strings.Cut(setting, "="); name {
		case "CI", "GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "AGENT_TEMPDIRECTORY", "BUILD_SOURCESDIRECTORY", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "BUILDKITE", "JENKINS_URL", "NO_COLOR", "FORCE_COLOR", "MAKEFLAGS", "NOTIFY_SOCKET",
			"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NODE_CHANNEL_FD",
			"WEFT_CI", "WEFT_DEBUG", "WEFT_NOTIFY", "WEFT_RECORD", "WEFT_REPORT", "WEFT_RUN_ID", "WEFT_STOP_WITHIN":
			os.Unsetenv(name)
		default:
			if strings.HasPrefix(name, "TASK_") || strings.HasPrefix(name, "OTEL_") || name == "TRACEPARENT" {
				os.Unsetenv(name)
			}
		}
	}
	os.Setenv("WEFT_HISTORY", "0")
}

// moreParallel runs twice as many tests in parallel as there are processors, unless -parallel is
// set: most tests wait for their children.
func moreParallel() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

// leakChecked runs the tests, and fails if a goroutine is still running after them.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	heedSignals()
	forgetSettings()
	moreParallel()
	dir, err := os.MkdirTemp("", "weft-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs = dir
	code := l.m.Run()
	os.RemoveAll(dir)
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// traces reports whether strace is installed and permitted.
func traces() bool { return exec.Command("strace", "-o", os.DevNull, "true").Run() == nil }

// TestScript runs every script in testdata/script. WEFT_SCRIPT_BIN names another binary that is run
// as "task", to check the scripts against the reference. WEFT_SCRIPT_UPDATE=1 then updates them with
// its output.
func TestScript(t *testing.T) {
	stand := os.Getenv("WEFT_SCRIPT_BIN")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       stand != "" && os.Getenv("WEFT_SCRIPT_UPDATE") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "reference":
				return stand != "", nil
			case "root":
				return os.Geteuid() == 0, nil
			case "strace":
				return traces(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "TERM=dumb", "LC_ALL=C", "USER=weft", "WEFT_HISTORY=0", "WEFT_CACHE_DIR="+filepath.Join(env.WorkDir, ".tmp", "cache"))
			env.Values[lastSignalled{}] = new(lastSignalled)
			runtime, err := os.MkdirTemp("", "weft-run") // the length of a socket's path is limited
			if err != nil {
				return err
			}
			env.Setenv("XDG_RUNTIME_DIR", runtime)
			env.Defer(func() {
				endDetached(runtime)
				os.RemoveAll(runtime)
			})
			if stand == "" {
				return nil
			}
			bin, err := os.MkdirTemp("", "weft-stand-in")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(bin) })
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return os.Symlink(stand, filepath.Join(bin, "task"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   cmdExits,
			"waitfor": cmdWaitFor,
			"signal":  cmdSignal,
			"died":    cmdDied,
			"gone":    cmdGone,
			"touch":   cmdTouch,
			"write":   cmdWrite,
			"lines":   cmdLines,
			"same":    cmdSame,
			"trace":   cmdTrace,
		},
	})
}

// endDetached ends the runs whose sockets are in a runtime directory, which a script that failed did
// not end.
func endDetached(runtime string) {
	for _, f := range control.List(func(string) string { return runtime }) {
		if !strings.HasPrefix(f.Path, runtime) {
			continue // it belongs to another user
		}
		if c, err := control.Dial(f.Path); err == nil {
			syscall.Kill(c.Hello.Pid, syscall.SIGTERM)
			c.Close()
		}
	}
}

// cmdTrace checks trace files.
func cmdTrace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: trace FILE...")
	}
	for _, f := range args {
		if _, err := tracecheck.Check([]byte(ts.ReadFile(f))); err != nil {
			ts.Fatalf("%s: %v", f, err)
		}
	}
}

// cmdExits runs a program and fails unless it exits with the given status: "exits 201 task build".
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdWaitFor waits until the named files exist.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: waitfor FILE...")
	}
	for _, f := range args {
		path := ts.MkAbs(f)
		if !eventually(func() bool { _, err := os.Stat(path); return err == nil }) {
			ts.Fatalf("%s did not appear", f)
		}
	}
}

// eventually waits until cond returns true, and reports whether it did within [patience].
func eventually(cond func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if cond() {
			return true
		}
	}
	return cond()
}

// lastSignalled is the key under which a script stores the process that "signal" was sent to.
type lastSignalled struct{ cmd *exec.Cmd }

// cmdSignal sends a signal to the newest background command only: "signal TERM".
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	cmds := ts.BackgroundCmds()
	if neg || len(args) != 1 || len(cmds) == 0 {
		ts.Fatalf("usage: signal NAME, with a command in the background")
	}
	cmd := cmds[len(cmds)-1]
	ts.Value(lastSignalled{}).(*lastSignalled).cmd = cmd
	ts.Check(cmd.Process.Signal(signalNamed(ts, args[0])))
}

func signalNamed(ts *testscript.TestScript, name string) syscall.Signal {
	switch name {
	case "INT":
		return syscall.SIGINT
	case "TERM":
		return syscall.SIGTERM
	case "HUP":
		return syscall.SIGHUP
	case "QUIT":
		return syscall.SIGQUIT
	case "KILL":
		return syscall.SIGKILL
	case "USR1":
		return syscall.SIGUSR1
	case "USR2":
		return syscall.SIGUSR2
	}
	ts.Fatalf("unknown signal %q", name)
	return 0
}

// cmdDied checks, after "wait", that the signalled command was terminated by the named signal, as
// its parent sees it: "died TERM".
func cmdDied(ts *testscript.TestScript, neg bool, args []string) {
	cmd := ts.Value(lastSignalled{}).(*lastSignalled).cmd
	if neg || len(args) != 1 || cmd == nil || cmd.ProcessState == nil {
		ts.Fatalf("usage: died SIGNAL, after signal and wait")
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if want := signalNamed(ts, args[0]); !status.Signaled() || status.Signal() != want {
		ts.Fatalf("the command ended with %q, want signal %s", cmd.ProcessState, want)
	}
}

// cmdGone waits until the process whose pid is in a file has ended.
func cmdGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone PIDFILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	if !eventually(func() bool { return !running(pid) }) {
		ts.Fatalf("process %d still runs", pid)
	}
}

// running reports whether pid is a process that has not ended. A zombie has ended.
func running(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s, ok := procstat.Parse(stat)
	return ok && !s.Dead()
}

// cmdTouch sets the modification time of files to now plus a duration: "touch +10s a b". It creates
// missing files.
func cmdTouch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: touch ±DURATION FILE...")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	at := time.Now().Add(d)
	for _, f := range args[1:] {
		path := ts.MkAbs(f)
		h, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
		ts.Check(err)
		ts.Check(h.Close())
		ts.Check(os.Chtimes(path, at, at))
	}
}

// cmdWrite replaces the content of a file by one line: "write FILE text".
func cmdWrite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]+"\n"), 0o666))
}

// cmdLines compares the lines of an output with those of a file, in any order: "lines stdout want".
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines stdout|stderr|FILE FILE")
	}
	got, want := sortedLines(ts.ReadFile(args[0])), sortedLines(ts.ReadFile(args[1]))
	if got != want {
		ts.Fatalf("sorted lines of %s:\n%swant:\n%s", args[0], got, want)
	}
}

// cmdSame compares an output with a file, without the text that depends on the clock: "same stderr
// want".
func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same stdout|stderr|FILE FILE")
	}
	got, want := timeless(ts.ReadFile(args[0])), timeless(ts.ReadFile(args[1]))
	if got != want {
		ts.Fatalf("%s without times:\n%swant:\n%s", args[0], got, want)
	}
}

func sortedLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
