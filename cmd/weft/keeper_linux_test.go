package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// oneProgram runs weft, for as long as the test, and returns the process ids of it and
// its keeper when that has one program, which sleeps.
func oneProgram(t *testing.T, args ...string) (weft, keeper int) {
	t.Helper()
	cmd := exec.Command("weft", args...)
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: {sources: [Taskfile.yml], cmds: [sleep 1000]}}\n"})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	if !eventually(func() bool {
		keeper = keeperOf(cmd.Process.Pid)
		return keeper > 0 && len(statesBelow(keeper)) == 1
	}) {
		t.Fatal("no program was started")
	}
	return cmd.Process.Pid, keeper
}

// TestKeeperIsSmall: supervision takes less than 2 MiB of memory of its own.
func TestKeeperIsSmall(t *testing.T) {
	t.Parallel()
	_, keeper := oneProgram(t)
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", keeper))
	_, rest, _ := strings.Cut(string(status), "\nRssAnon:")
	kib, err := strconv.Atoi(strings.TrimSpace(rest[:strings.Index(rest, "kB")]))
	if err != nil || kib > 2048 {
		t.Errorf("the keeper has %d KiB of anonymous memory: %v", kib, err)
	}
}

// switches returns how often threads of a process have begun to run.
func switches(pid int) (n int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		if f := strings.Fields(string(text)); len(f) == 3 {
			times, _ := strconv.Atoi(f[2])
			n += times
		}
	}
	return n
}

// TestAsleep: while nothing happens weft and its keeper sleep: for a second none of their threads
// runs.
func TestAsleep(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"program": nil, "watching": {"-w"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			weft, keeper := oneProgram(t, args...)
			last, since := 0, time.Now()
			if !eventually(func() bool {
				if n := switches(weft) + switches(keeper); n != last {
					last, since = n, time.Now()
				}
				return time.Since(since) > time.Second
			}) {
				t.Error("something is always awake")
			}
		})
	}
}

// twoKinds is a directory with a task that starts nothing, and one that is a program.
func twoKinds(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\nsilent: true\ntasks: {builtin: ':', program: /bin/true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// BenchmarkRun is a whole run.
func BenchmarkRun(b *testing.B) {
	dir := twoKinds(b)
	for _, task := range []string{"builtin", "program"} {
		b.Run(task, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command("weft", task)
				cmd.Dir = dir
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestCostOfKeeper: a run with one program takes at most 4 ms more than one with
// none and the program by itself, by the medians of 50 of each. It needs an otherwise idle machine.
func TestCostOfKeeper(t *testing.T) {
	if os.Getenv("WEFT_TIMING") == "" {
		t.Skip("times are compared with WEFT_TIMING=1, on a quiet machine")
	}
	dir, weft := twoKinds(t), build(t)
	const rounds = 50
	times := [3][]time.Duration{}
	for range rounds {
		for i, args := range [][]string{{weft, "program"}, {weft, "builtin"}, {"/bin/true"}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = dir
			start := time.Now()
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	for _, all := range times {
		slices.Sort(all)
	}
	whole, none, alone := times[0][rounds/2], times[1][rounds/2], times[2][rounds/2]
	t.Logf("with a program %v, without %v, the program alone %v", whole, none, alone)
	if cost := whole - none - alone; cost > 4*time.Millisecond {
		t.Errorf("the keeper costs %v", cost)
	}
}
