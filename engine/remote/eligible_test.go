package remote

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
)

// taskOf returns the task t of a Taskfile with these keys of t.
func taskOf(t *testing.T, keys string) *schema.Task {
	t.Helper()
	dir := t.TempDir()
	src := "version: '3'\ntasks:\n  ps: ps\n  t: {" + keys + "}\n"
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(context.Background(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatalf("%s: %v", keys, err)
	}
	return w.Task("t")
}

// TestRefusal has a line for each reason that the file gives.
func TestRefusal(t *testing.T) {
	const files = "sources: [a], generates: [b], "
	for _, tt := range []struct{ keys, want string }{
		{files + "cmd: x", ""},
		{"sources: [a], generates: [], cmd: x", ""},
		{files + "cmds: [{cmd: x, stdin: {text: y}}, {cmd: x, stdin: {file: a}}, {cmd: x, stdin: 'null', stdout: {file: b}}]", ""},
		{"generates: [b], cmd: x", "it has no sources, and a worker gets only the files they name"},
		{"sources: [{exclude: a}], generates: [b], cmd: x", "it has no sources, and a worker gets only the files they name"},
		{"sources: [a], cmd: x", "it has no generates (write [] if it makes no files)"},
		{files + "interactive: true, cmd: x", "it talks to the terminal (interactive)"},
		{files + "tty: true, cmd: x", "it talks to the terminal (tty)"},
		{files + "cmds: [x, {cmd: x, tty: true}]", "it talks to the terminal (tty)"},
		{files + "service: true, cmd: x", "it has to live here (service)"},
		{files + "watch: true, cmd: x", "it has to live here (watch)"},
		{files + "ports: {http: 80}, cmd: x", "it has to live here (ports)"},
		{files + "cmds: [{cmd: x, background: true}]", "it has to live here (background)"},
		{files + "ipc: true, cmd: x", "it has to live here (ipc)"},
		{files + "cmds: [{cmd: x, leftover: keep}]", "it has to live here (leftover: keep)"},
		{files + "user: nobody, cmd: x", "its commands run as another user (user)"},
		{files + "stdout: inherit, cmd: x", "it writes past weft (inherit)"},
		{files + "cmds: [{cmd: x, stderr: inherit}]", "it writes past weft (inherit)"},
		{files + "stdin: inherit, cmd: x", "its stdin is connected here (inherit)"},
		{files + "stdin: route, cmd: x", "its stdin is connected here (route)"},
		{files + "stdin: {from: ps}, cmd: x", `its stdin is connected here (from "ps")`},
		{files + "cmds: [{cmd: x, stdin: {output: ps}}]", `its stdin is connected here (output of "ps")`},
		{files + "cmds: [x, {task: ps}]", `command 2 calls task "ps": make that a need`},
		{files + "cmds: [x, {defer: {task: ps}}]", `command 2 calls task "ps": make that a need`},
		{files + "cmds: [{pipe: [x, {task: ps}]}]", `command 1 calls task "ps": make that a need`},
		// the first reason counts
		{"interactive: true, cmds: [{task: ps}]", "it has no sources, and a worker gets only the files they name"},
	} {
		if got := Refusal(taskOf(t, tt.keys)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.keys, got, tt.want)
		}
	}
}

// TestRefusals: all reasons are given, each once.
func TestRefusals(t *testing.T) {
	got := Refusals(taskOf(t, "interactive: true, tty: true, stdin: inherit, cmds: [{task: ps}, {cmd: x, tty: true}, {cmd: x, leftover: keep}]"))
	want := []string{
		"it has no sources, and a worker gets only the files they name", "it has no generates (write [] if it makes no files)",
		"it talks to the terminal (interactive)", "it talks to the terminal (tty)", "its stdin is connected here (inherit)",
		`command 1 calls task "ps": make that a need`, "it has to live here (leftover: keep)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNames(t *testing.T) {
	const root = "/home/me/app"
	for text, want := range map[string]bool{
		"cat " + root + "/x": true, root: true, "cd " + root + " && x": true, "\"" + root + "\"": true, "a:" + root + ":b": true,
		root + "2/x and " + root + "/y": true,
		"":                              false, root + "2/x": false, root + "-old": false, root + ".txt": false, root + "_": false, root + "ü": false, "/home/me": false,
	} {
		if got := names([]byte(text), root); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
	if names([]byte("/usr/bin/x"), "/") {
		t.Error("every path names the root of the file system")
	}
}

func TestParseSaid(t *testing.T) {
	line := LogLine(nil)
	for name, tt := range map[string]struct {
		text           string
		greeted, ended bool
		why            string
	}{
		"success":        {Greeting + line, true, true, ""},
		"failure":        {Greeting + Reason("warning: x") + Reason("exit status 3") + line, true, true, "exit status 3"},
		"unable":         {Greeting + Reason("no act"), true, false, "no act"},
		"killed":         {Greeting, true, false, ""},
		"other program":  {"sh: weft: not found\nx\n", false, false, "sh: weft: not found"},
		"no greeting":    {line, false, false, strings.TrimSuffix(line, "\n")},
		"nothing":        {"", false, false, ""},
		"panic":          {Greeting + "panic: x\n\ngoroutine 1\n", true, false, "panic: x"},
		"line in reason": {Greeting + Reason("a\nb"), true, false, "a b"},
	} {
		s, err := parseSaid([]byte(tt.text))
		if err != nil || s.greeted != tt.greeted || s.ended != tt.ended || s.why != tt.why {
			t.Errorf("%s: got %+v, %v", name, s, err)
		}
	}
	for _, text := range []string{Greeting + "weft log !\n", Greeting + "weft log /w==\n"} {
		if s, err := parseSaid([]byte(text)); err == nil {
			t.Errorf("%q: got %+v", text, s)
		}
	}
	if s, err := parseSaid([]byte(strings.Repeat("ü", 5000))); err != nil || len(s.why) > 1000 {
		t.Errorf("got %d bytes, %v", len(s.why), err)
	}
}

// TestFailure: a time limit that the runner enforces is one of the step.
func TestFailure(t *testing.T) {
	for _, limit := range []sched.Limit{sched.CommandLimit, sched.TaskLimit, sched.IdleLimit} {
		there, here := &sched.TimedOut{Name: "act", After: 90 * time.Second, Limit: limit}, &sched.TimedOut{Name: "build", After: 90 * time.Second, Limit: limit}
		if err := failure(124, there.Error(), "build"); err.Error() != here.Error() || executor.ExitCode(err) != 124 {
			t.Errorf("got %v", err)
		}
	}
	for _, why := range []string{"exit status 124", "", "[act] (1s)", "took 1s"} {
		if err := failure(124, why, "build"); err.Error() != why || executor.ExitCode(err) != 124 {
			t.Errorf("%q: got %v", why, err)
		}
	}
}

func FuzzParseSaid(f *testing.F) {
	f.Add([]byte(Greeting + Reason("x") + LogLine(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSaid(b); err == nil && (s.ended && !s.greeted || len(s.why) > 1000) {
			t.Errorf("%q: %+v", b, s)
		}
	})
}
