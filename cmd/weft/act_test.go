//go:build unix

package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/keeper"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/schema"
)

// actRun is one run of a runner.
type actRun struct {
	dir            string
	stdout, stderr string
	code           int
}

// runAct runs the runner with an act in dir, without any environment.
func runAct(t *testing.T, dir string, act []byte) *actRun {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(cache.ActPath))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, act, 0o644)); err != nil {
		t.Fatal(err)
	}
	return startAct(t, dir, cache.ActPath)
}

func startAct(t *testing.T, dir, file string) *actRun {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Cmd{Path: self, Args: []string{"weft", remote.Flag, file}, Dir: dir, Env: []string{"TMPDIR=" + t.TempDir()}, Stdout: &out, Stderr: &errs}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := &actRun{dir: dir, stdout: out.String(), stderr: errs.String(), code: cmd.ProcessState.ExitCode()}
	if !strings.HasPrefix(r.stderr, remote.Greeting) {
		t.Errorf("no greeting: %q", r.stderr)
	}
	return r
}

// commands returns the encodings of scripts.
func commands(scripts ...string) (encoded [][]byte) {
	for _, s := range scripts {
		encoded = append(encoded, encode(plan.Command{Text: s}, plan.CommandOptions{}, plan.Process{}))
	}
	return encoded
}

func encode(c plan.Command, o plan.CommandOptions, p plan.Process) []byte {
	c.CommandOptions, c.Process = &o, &p
	return c.Encode(nil, true)
}

// log returns the description of the log that the runner has given, and fails if there is none.
func (r *actRun) log(t *testing.T) *cache.ActionResult {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[len(lines)-1], "weft log "))
	if err != nil || !strings.HasPrefix(lines[len(lines)-1], "weft log ") {
		t.Fatalf("no description of the log: %q, %v", r.stderr, err)
	}
	result := &cache.ActionResult{Metadata: cache.ExecutedActionMetadata{Auxiliary: []cache.Any{{Type: "weft.run/log.v1", Value: b}}}}
	return result
}

// TestAct: the runner performs an act, and leaves its result where a worker takes it from.
func TestAct(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o755), os.WriteFile(filepath.Join(dir, "sub", "in"), []byte("source\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	act := cache.Act{
		Dir: "sub",
		Commands: append(commands(
			`echo $WEFT_TASK {{.NOT}} {{"a"}}; echo oops >&2; mkdir -p ../out/empty; cp in ../out/copy; ln -s copy ../out/link; echo '#!/bin/sh' >../out/run; chmod 750 ../out/run`,
			`test -n "$PATH" && test -n "$HOME" && test -d "$TMPDIR" && echo name=value >>"$WEFT_OUTPUT"`),
			encode(plan.Command{Kind: schema.Exec}, plan.CommandOptions{Argv: []string{"printf", "%s", "a b"}}, plan.Process{Stdout: []plan.Sink{{Kind: plan.SinkCapture, Max: 100}, {Kind: plan.SinkLog}}}),
			encode(plan.Command{Kind: plan.Pipe}, plan.CommandOptions{Members: []plan.Command{member("cat"), member("tr a-z A-Z")}}, plan.Process{Stdin: &plan.Stdin{Kind: plan.StdinFile, Text: "in"}}),
			encode(plan.Command{Text: "echo deferred", Defer: true}, plan.CommandOptions{}, plan.Process{}),
		),
		Generates: []cache.Pattern{{Glob: "out"}, {Glob: "out/no*", Exclude: true}},
		Outputs:   []cache.Value{{Name: "name"}, {Name: "all", From: "stdout", As: "lines"}},
		Captured:  true,
		Limit:     time.Minute,
	}
	r := runAct(t, dir, act.Append(nil))
	if r.code != 0 {
		t.Fatalf("exit status %d: %s%s", r.code, r.stdout, r.stderr)
	}
	// The two streams of one command may come in either order.
	const first, second, rest = "act {{.NOT}} {{a}}\n", "oops\n", "a bSOURCE\ndeferred\n"
	if r.stdout != first+second+rest && r.stdout != second+first+rest {
		t.Errorf("the log is %q", r.stdout)
	}
	disk, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	result, err := disk.Adopt(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := disk.Restore(t.Context(), &cache.Restoring{Root: to, Result: result}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "out", "link")); err != nil || string(b) != "source\n" {
		t.Errorf("the copy is %q, %v", b, err)
	}
	if st, err := os.Stat(filepath.Join(to, "out", "run")); err != nil || st.Mode().Perm() != 0o750 {
		t.Errorf("the mode is %v, %v", st.Mode(), err)
	}
	if st, err := os.Stat(filepath.Join(to, "out", "empty")); err != nil || !st.IsDir() {
		t.Errorf("no empty directory: %v", err)
	}
	meta, err := result.Log()
	if err != nil || result.Stdout != cache.DigestOf([]byte(r.stdout)) {
		t.Errorf("the log is not %v: %v", result.Stdout, err)
	}
	if want := `"name":"value"`; !strings.Contains(string(meta.Outputs), want) {
		t.Errorf("the outputs are %s", meta.Outputs)
	}
	said, err := r.log(t).Log()
	if err != nil || len(said.Marks) < 6 || len(said.Marks) != len(meta.Marks) {
		t.Errorf("the marks are %+v, %v", said.Marks, err)
	}
}

// member returns a command of a group.
func member(script string) plan.Command {
	return plan.Command{Text: script, CommandOptions: &plan.CommandOptions{}, Process: &plan.Process{}}
}

// TestActFails: a failed act has its exit status and its log, and no result.
func TestActFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		act    cache.Act
		code   int
		stdout string
		reason string
	}{
		"command":      {cache.Act{Commands: commands("echo a", "exit 7")}, 7, "a\n", "weft: exit status 7\n"},
		"exit 125":     {cache.Act{Commands: commands("exit 125")}, 125, "", "weft: exit status 125\n"},
		"no output":    {cache.Act{Commands: commands("echo a"), Generates: []cache.Pattern{{Glob: "dist/*.js"}}}, 1, "a\n", "weft: generates \"dist/*.js\" matched no file\n"},
		"no program":   {cache.Act{Commands: commands("no-such-program")}, 127, "", "weft: "},
		"limit":        {cache.Act{Commands: commands("echo a; sleep 600"), Limit: 5 * time.Second}, 124, "a\n", "weft: [act] task timeout exceeded (5s)\n"},
		"link":         {cache.Act{Commands: commands("ln -s /etc/passwd l"), Generates: []cache.Pattern{{Glob: "l"}}}, 1, "", "weft: output \"l\": it is a link to \"/etc/passwd\", which is not relative\n"},
		"undeclared":   {cache.Act{Commands: [][]byte{encode(plan.Command{Text: "echo a"}, plan.CommandOptions{}, plan.Process{Stdout: []plan.Sink{{Kind: plan.SinkFile, File: "o"}}})}}, 1, "", "weft: it writes o, which its generates do not match\n"},
		"value":        {cache.Act{Commands: commands("echo x"), Outputs: []cache.Value{{Name: "v", From: "stdout", As: "json"}}}, 1, "x\n", "weft: output \"v\""},
		"many retries": {cache.Act{Commands: [][]byte{encode(plan.Command{Text: "echo a; exit 3"}, plan.CommandOptions{}, plan.Process{Retry: plan.Retry{Max: 2, Backoff: 1}})}}, 3, "a\na\na\n", "weft: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runAct(t, t.TempDir(), tt.act.Append(nil))
			if r.code != tt.code || tt.stdout != "" && r.stdout != tt.stdout || !strings.Contains(r.stderr, tt.reason) {
				t.Errorf("exit status %d, %q, %q", r.code, r.stdout, r.stderr)
			}
			r.log(t)
			if _, err := os.Stat(filepath.Join(r.dir, ".weft", "out", "result")); err == nil {
				t.Error("there is a result")
			}
		})
	}
}

// TestActLeavesNothing: nothing of an act survives it, not even what detaches or asks to be kept.
func TestActLeavesNothing(t *testing.T) {
	t.Parallel()
	if !keeper.Available {
		t.Skip("no process is found here once its parent has ended")
	}
	act := cache.Act{Commands: [][]byte{
		encode(plan.Command{Text: "setsid sleep 601 & echo $! >a; nohup sleep 602 >/dev/null 2>&1 & echo $! >b"}, plan.CommandOptions{}, plan.Process{Leftover: plan.LeftoverKeep, Interpreter: schema.Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}}),
	}}
	r := runAct(t, t.TempDir(), act.Append(nil))
	if r.code != 0 {
		t.Fatalf("exit status %d: %s", r.code, r.stderr)
	}
	for _, name := range []string{"a", "b"} {
		b, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		pid := strings.TrimSpace(string(b))
		if _, err := os.Stat("/proc/" + pid + "/cmdline"); err == nil {
			t.Errorf("the process %s is left", pid)
		}
	}
}

// TestActUnable: what is no act, or one for a later weft, is not performed.
func TestActUnable(t *testing.T) {
	t.Parallel()
	act := cache.Act{Commands: commands("echo a >made")}
	later := act
	later.Commands = [][]byte{append(commands("echo a >made")[0], 0xc0, 0x3e, 1)}
	for name, b := range map[string][]byte{
		"empty":         {},
		"text":          []byte("version: '3'\n"),
		"unknown field": append(act.Append(nil), 0xc0, 0x3e, 1),
		"later command": later.Append(nil),
		"too large":     make([]byte, cache.MaxAct+1),
	} {
		r := runAct(t, t.TempDir(), b)
		r.unable(t, name)
		if _, err := os.Stat(filepath.Join(r.dir, "made")); err == nil {
			t.Errorf("%s was performed", name)
		}
	}
	dir := t.TempDir()
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600), os.Symlink("loop", filepath.Join(dir, "loop"))); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"missing", ".", "pipe", "loop", "/dev/zero", ""} {
		startAct(t, dir, file).unable(t, file)
	}
}

func (r *actRun) unable(t *testing.T, name string) {
	t.Helper()
	if r.code != remote.Unable || !strings.Contains(r.stderr, "cannot be performed by this weft ("+remote.Marker+"): ") || strings.Contains(r.stderr, "weft log") || strings.Count(r.stderr, "\n") != 2 {
		t.Errorf("%s: exit status %d, %q", name, r.code, r.stderr)
	}
}
