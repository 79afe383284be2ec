package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/procstat"
)

// project is a directory with a Taskfile and other files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if name == "Taskfile.yml" {
			text = "version: '3'\nsilent: true\n" + text
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// statesBelow returns the states of a process's children, as /proc has them.
func statesBelow(pid int) (states string) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			stat, _ := os.ReadFile("/proc/" + f + "/stat")
			if s, ok := procstat.Parse(stat); ok {
				states += string(s.State)
			}
		}
	}
	return states
}

// TestNoZombies: a thousand orphans are reaped during the run.
func TestNoZombies(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"Taskfile.yml": "tasks: {default: sh orphans.sh}\n",
		"orphans.sh":   "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; : >done; while [ ! -e go ]; do sleep 0.01; done\n",
	})
	cmd := exec.Command("weft")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { _, err := os.Stat(filepath.Join(dir, "done")); return err == nil }) {
		t.Error("the orphans were not made")
	}
	states := ""
	if !eventually(func() bool {
		states = statesBelow(keeperOf(cmd.Process.Pid))
		return len(states) == 1
	}) {
		t.Errorf("children of the keeper: %s; want the one program", states)
	}
	if states := statesBelow(cmd.Process.Pid); len(states) != 1 || states == "Z" {
		t.Errorf("children of weft: %s; want the keeper", states)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestThreads: hundreds of programs at a time need no thread each, neither while
// they are started nor while they run.
func TestThreads(t *testing.T) {
	t.Parallel()
	const n = 500
	limit := 16 + 8*runtime.NumCPU() // Go has some for each processor, more of them on a busy machine
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, " %d", i)
	}
	cmd := exec.Command("weft", "-C", strconv.Itoa(n))
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks:\n  default:\n    deps: [{for: {var: LIST}, task: one, vars: {I: '{{.ITEM}}'}}]\n" +
		"    vars: {LIST: '" + list.String()[1:] + "'}\n  one: sleep 1000\n"})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	threads := func(pid int) int {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		return len(tasks)
	}
	children, keeper, most := 0, 0, 0
	eventually(func() bool {
		if keeper == 0 {
			keeper = keeperOf(cmd.Process.Pid)
		}
		most = max(most, threads(cmd.Process.Pid)+threads(keeper))
		children = len(statesBelow(keeper))
		return children == n
	})
	if children != n {
		t.Errorf("%d programs run, want %d", children, n)
	}
	if most > limit {
		t.Errorf("%d threads for %d programs, want %d at the most", most, n, limit)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
}

// TestDescriptors: a program has its standard streams and nothing else, however it was started and
// whatever descriptors weft itself has.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"Taskfile.yml": `tasks:
  default:
  - ./show direct
  - X=1 ./show interpreted
  - echo | ./show member | cat
  - cmd: echo $(./show substitution)
  - "{ ./show background & wait; }"
  - defer: ./show deferred
`,
		// The last one is the directory that is being read.
		"show": "#!/bin/sh\nprintf '%s ' $1; exec ls -m /proc/self/fd\n",
	})
	leak, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer leak.Close()
	for _, style := range []string{"interleaved", "group", "prefixed"} {
		cmd := exec.Command("weft", "--output", style)
		cmd.Dir, cmd.ExtraFiles = dir, []*os.File{leak, leak, leak}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v; %s", err, out)
		}
		for _, how := range []string{"direct", "interpreted", "member", "substitution", "background", "deferred"} {
			if !bytes.Contains(out, []byte(how+" 0, 1, 2, 3\n")) {
				t.Errorf("%s, %s: no %q in\n%s", style, how, how+" 0, 1, 2, 3", out)
			}
		}
	}
}

// TestForkStorm: a process that repeatedly begins a new session, starts its successor and ends does
// not escape when weft is killed.
func TestForkStorm(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(weft int){
		"weft": func(weft int) { syscall.Kill(weft, syscall.SIGKILL) },
		"keeper": func(weft int) {
			if keeper := keeperOf(weft); keeper > 0 {
				syscall.Kill(keeper, syscall.SIGKILL)
			}
		},
		"term": func(weft int) { syscall.Kill(weft, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSurvivors(t, "tasks: {default: ['for i in 1 2 3 4; do sh storm.sh & done; sleep 1000']}\n")
			const storm = "trap '' TERM INT HUP; echo; setsid sh storm.sh & exit\n"
			if err := os.WriteFile(filepath.Join(s.Dir, "storm.sh"), []byte(storm), 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.output.SetReadDeadline(time.Now().Add(patience))
			if n, err := io.ReadFull(s.output, make([]byte, 100)); err != nil {
				t.Errorf("only %d processes in the storm: %v", n, err)
			}
			kill(s.Process.Pid)
			s.Wait()
			s.gone(patience)
		})
	}
}

// TestEveryCode: the run reports the exit code of a program.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	var tasks strings.Builder
	tasks.WriteString("tasks:\n  default:\n    ignore_error: true\n    cmds:\n")
	for code := range 256 {
		fmt.Fprintf(&tasks, "    - sh -c 'exit %d'\n", code)
	}
	for _, sig := range []string{"KILL", "TERM", "HUP", "PIPE", "USR1"} {
		fmt.Fprintf(&tasks, "    - sh -c 'kill -%s $$'\n", sig)
	}
	want := map[string]int{"sh -c 'kill -KILL $$'": 137, "sh -c 'kill -TERM $$'": 143, "sh -c 'kill -HUP $$'": 129, "sh -c 'kill -PIPE $$'": 141, "sh -c 'kill -USR1 $$'": 138}
	cmd := exec.Command("weft", "--events", "-")
	cmd.Dir = project(t, map[string]string{"Taskfile.yml": tasks.String()})
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	text := ""
	for line := range bytes.Lines(out) {
		var ev struct {
			Event, Text string
			Code        int
			MaxRSS      int64 `json:"max_rss"`
		}
		if err := json.Unmarshal(line, &ev); err != nil {
			t.Fatal(err, string(line))
		}
		switch ev.Event {
		case "command_started":
			text = ev.Text
		case "command_ended":
			code, special := want[text]
			if !special {
				code, _ = strconv.Atoi(strings.Trim(text, "sh -c'exit"))
			}
			if ev.Code != code || ev.MaxRSS == 0 {
				t.Errorf("%s: code %d, want %d; memory %d", text, ev.Code, code, ev.MaxRSS)
			}
			seen++
		}
	}
	if seen != 261 {
		t.Errorf("%d commands ended", seen)
	}
}

// TestManyRuns: runs leave no process, no zombie, no temporary file, and a state that does not
// grow. WEFT_RUNS is their number; 100 by default.
func TestManyRuns(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("WEFT_RUNS"))
	if n == 0 {
		n = 100
	}
	// Leftovers of a run become children of this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip("what a run leaves cannot be seen here: ", err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	dir := project(t, map[string]string{
		"Taskfile.yml": "output: group\ntasks: {default: {sources: [in], cmds: ['cat in | sort', 'sh -c \"sleep 100 >/dev/null 2>&1 & true\"', \"sh -c 'seq 20000'\"]}}\n",
	})
	temp := t.TempDir()
	before := statesBelow(os.Getpid())
	var size int64
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "in"), []byte(strconv.Itoa(i)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("weft")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+temp)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("run %d: %v; %s", i, err, out)
		}
		if info, err := os.Stat(filepath.Join(dir, ".weft", "state")); err != nil {
			t.Fatal(err)
		} else if i == 10 {
			size = info.Size()
		} else if i > 10 && info.Size() > 20*size {
			t.Fatalf("run %d: the state has %d bytes, after ten runs it had %d", i, info.Size(), size)
		}
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("temporary files: %v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, ".weft")); len(left) > 4 {
		t.Errorf("files of the state: %v", left)
	}
	if after := statesBelow(os.Getpid()); after != before {
		t.Errorf("children of this process: %q, before the runs %q", after, before)
	}
}

// TestReaderEnds: a reader of weft's output gets its end when weft ends, even if a leftover of a
// command holds it open.
func TestReaderEnds(t *testing.T) {
	t.Parallel()
	for _, style := range []string{"interleaved", "group", "prefixed"} {
		cmd := exec.Command("sh", "-c", "weft --output "+style+" | cat")
		cmd.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: \"sh -c 'echo early; sleep 1000 & exit 0'\"}\n"})
		out, err := cmd.Output() // hangs else
		if err != nil || !bytes.Contains(out, []byte("early\n")) {
			t.Errorf("%s: %v, %q", style, err, out)
		}
	}
}
