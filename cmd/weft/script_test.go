//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/weftrun/weft/internal/probe"
	"github.com/weftrun/weft/internal/procstat"
	"go.uber.org/goleak"
)

// patience bounds every wait for a condition; it is only reached when the
// condition will never hold.
const patience = 20 * time.Second

// TestMain makes this test binary answer to both names of the program, so that
// scripts run the real main.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"weft":  mortal,
		"task":  main,
		"probe": probe.Main,
	})
}

// heedSignals lets what the tests start be ended by signals that the tests themselves
// were told to ignore, by nohup or a shell's &.
func heedSignals() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// leakChecked runs the tests and then fails if they left a goroutine behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	heedSignals()
	code := l.m.Run()
	if bothPrograms != "" {
		os.RemoveAll(bothPrograms)
	}
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScript runs every script of testdata/script. WEFT_SCRIPT_BIN names
// another binary to answer to "task", which is how the scripts are checked
// against the reference; WEFT_SCRIPT_UPDATE=1 then records what it prints.
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
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "TERM=dumb", "LC_ALL=C", "USER=weft")
			env.Values[lastSignalled{}] = new(lastSignalled)
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
		},
	})
}

// cmdExits runs a program and wants exactly one exit status:
// "exits 201 task build".
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

// cmdWaitFor waits until the files named exist.
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

// eventually reports whether cond came true within [patience].
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

// lastSignalled is a script's memory of the process that "signal" reached.
type lastSignalled struct{ cmd *exec.Cmd }

// cmdSignal sends a signal to the newest background command, and to nothing
// else: "signal TERM".
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

// cmdDied checks, after "wait", that the command that was signalled died of
// the signal named, as its parent sees it: "died TERM".
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

// cmdGone waits until the process whose pid a file holds has ended.
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

// running reports whether pid is a process that has not ended; one that only
// waits to be reaped has.
func running(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s, ok := procstat.Parse(stat)
	return ok && !s.Dead()
}

// cmdTouch sets the modification time of files, which it creates if need be,
// to now plus a duration: "touch +10s a b".
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

// cmdWrite replaces a file's content with one line: "write FILE text".
func cmdWrite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]+"\n"), 0o666))
}

// cmdLines compares the lines of an output with a file in any order: "lines
// stdout want".
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines stdout|stderr|FILE FILE")
	}
	got, want := sortedLines(ts.ReadFile(args[0])), sortedLines(ts.ReadFile(args[1]))
	if got != want {
		ts.Fatalf("sorted lines of %s:\n%swant:\n%s", args[0], got, want)
	}
}

func sortedLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
