package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mostMemory is the maximum memory of weft for any Taskfile, in KiB.
const mostMemory = 512 << 10

// bomb is a Taskfile that needs more than available: its text below the version. Its
// task a ends with an error by itself unless it waits.
type bomb struct {
	name  string
	text  func(r *rand.Rand) string
	waits bool // for ever, until it is stopped
}

// bombs are the kinds of hostile Taskfiles. Each size is drawn so that it is far too much.
var bombs = []bomb{
	{name: "expression", text: func(r *rand.Rand) string { return task(cmds(quoted("echo " + explosion(r)))) }},
	{name: "place", text: func(r *rand.Rand) string {
		key := pick(r, "dir: %s", "label: %s", "sources: [%s]", "status: [%s]", "preconditions: [%s]", "if: %s", "env: {X: %s}", "dotenv: [%s]", "prompt: %s")
		return "tasks:\n  a:\n    " + fmt.Sprintf(key, quoted(explosion(r))) + "\n    cmds: [':']\n"
	}},
	{name: "doubling", text: func(r *rand.Rand) string {
		text := "vars:\n  V0: " + strings.Repeat("x", 1+r.IntN(30)) + "\n"
		n := 30 + r.IntN(40)
		for i := range n {
			text += fmt.Sprintf("  V%d: '%s'\n", i+1, fmt.Sprintf(pick(r, "{{.V%d}}{{.V%[1]d}}", "{{print .V%d .V%[1]d}}", "{{.V%d}},{{.V%[1]d}}"), i))
		}
		return text + task(cmds(fmt.Sprintf("'echo {{len .V%d}}'", n)))
	}},
	{name: "many large", text: func(r *rand.Rand) string {
		text, cmd := "vars:\n", "echo"
		for i := range 20 + r.IntN(50) {
			text += fmt.Sprintf("  V%d: '{{repeat %d \"x\"}}'\n", i, 30_000_000+r.IntN(30_000_000))
			cmd += fmt.Sprintf(" {{len .V%d}}", i)
		}
		return text + task(cmds(quoted(cmd)))
	}},
	{name: "output", text: func(r *rand.Rand) string {
		return "vars: {X: {sh: " + quoted(pick(r, "yes", "cat /dev/zero", "while true; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", "head -c 40000000 /dev/zero")) + "}}\n" + task(cmds("'echo {{len .X}}'"))
	}},
	{name: "matrix", text: func(r *rand.Rand) string {
		n := 101 + r.IntN(900)
		return task(cmds(fmt.Sprintf("{for: {matrix: {A: {ref: until %d}, B: {ref: until %[1]d}, C: {ref: until %[1]d}, D: {ref: until %[1]d}}}, cmd: ':'}", n)))
	}},
	{name: "loop", text: func(r *rand.Rand) string {
		n := 1_000_001 + r.IntN(20_000_000)
		return "vars: {X: '{{repeat " + strconv.Itoa(n) + " \"x \"}}'}\n" + task(cmds("{for: {var: X"+pick(r, "", ", split: x")+"}, cmd: ':'}"))
	}},
	{name: "diamond", text: func(r *rand.Rand) string {
		text, n := "tasks:\n  a: {deps: [t0]}\n", 22+r.IntN(40)
		for i := range n {
			text += fmt.Sprintf("  t%d: {deps: [t%d, t%[2]d]}\n", i, i+1)
		}
		return text + fmt.Sprintf("  t%d: ':'\n", n)
	}},
	{name: "itself", text: func(r *rand.Rand) string {
		return fmt.Sprintf("tasks: {a: {%s: [{task: a, vars: {X: '{{.X}}%s'}}]}}\n", pick(r, "deps", "cmds"), pick(r, "x", "{{.X}}x"))
	}},
	{name: "values", text: func(r *rand.Rand) string {
		n := 2_000_001 + r.IntN(500_000)
		return "x-a:" + pick(r, " ["+strings.Repeat("1,", n)+"]\n", "\n"+strings.Repeat("- a\n", n), " [\n"+strings.Repeat("[],\n", n)+"]\n") + task(cmds("':'"))
	}},
	{name: "aliases", text: func(r *rand.Rand) string {
		text := "vars:\n  A0: &a0 [1, 2, 3]\n"
		for i := range 8 {
			text += fmt.Sprintf("  A%d: &a%[1]d [%s]\n", i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
		}
		return text + task(cmds("':'"))
	}},
	{name: "size", text: func(r *rand.Rand) string {
		return "# " + strings.Repeat("x", 16<<20+r.IntN(1<<20)) + "\n" + task(cmds("':'"))
	}},
	{name: "fifo", waits: true, text: func(r *rand.Rand) string {
		return task(cmds(pick(r, "{cmd: cat, stdin: {file: fifo}}", "{cmd: echo, stdout: {file: fifo}}", "{cmd: echo, stdout: {file: fifo, append: true}}",
			"'read x <fifo'", "'echo x >fifo'", "'cat fifo'", "{cmd: cat fifo, if: cat fifo}")))
	}},
	{name: "fifo read first", waits: true, text: func(r *rand.Rand) string {
		return "tasks:\n  a:\n    " + pick(r, "dotenv: [fifo]", "status: [cat fifo]", "preconditions: [cat fifo]", "if: cat fifo", "vars: {X: {sh: cat fifo}}", "env: {X: {sh: cat fifo}}") +
			"\n    cmds: ['echo {{.X}}']\n"
	}},
	{name: "endless", waits: true, text: func(r *rand.Rand) string {
		return task(cmds(pick(r, "'read x </dev/zero'", `"yes | tr -d '\\n' | read x"`, "'while true; do :; done'", "'sleep 1000'", "'cat /dev/zero >/dev/null'", "'f() { (f); }; while true; do :; done'",
			"{cmd: read x, stdin: {file: /dev/zero}}", `"trap '' INT; while true; do :; done"`)))
	}},
	{name: "tree", waits: true, text: func(r *rand.Rand) string {
		return "tasks: {a: {sources: ['/**/*'], cmds: [{for: sources, cmd: ':'}, 'sleep 1000']}}\n"
	}},
}

// explosion is a template that needs too much.
func explosion(r *rand.Rand) string {
	n := 100_000_000 + r.IntN(1_000_000_000)
	return fmt.Sprintf(pick(r, `{{repeat %d "x"}}`, `{{until %d}}`, `{{seq %d}}`, `{{untilStep 0 %d 1}}`, `{{indent %d "x"}}`, `{{range %d}}{{end}}`,
		`{{range until 100000}}{{range until %d}}{{end}}{{end}}`, `{{range until 1000}}{{range until 1000}}{{range until 1000}}x{{end}}{{end}}{{end}}{{/* %d */}}`,
		`{{$x := "x"}}{{range until 60}}{{$x = cat $x $x}}{{end}}{{/* %d */}}`, `{{$x := "x"}}{{range until 60}}{{$x = printf "%%s%%s" $x $x}}{{end}}{{/* %d */}}`,
		`{{$x := list 1}}{{range until 60}}{{$x = list $x $x}}{{end}}{{$x}}{{/* %d */}}`, `{{$x := dict "a" 1}}{{range until 60}}{{$x = dict "a" $x "b" $x}}{{end}}{{toJson $x}}{{/* %d */}}`,
		`{{define "t"}}{{template "t"}}{{template "t"}}{{end}}{{template "t"}}{{/* %d */}}`, `{{splitList "" (repeat 60000000 "x")}}{{/* %d */}}`,
		`{{regexReplaceAll "" (repeat 10000 "x") (repeat 10000 "x")}}{{/* %d */}}`), n)
}

func task(body string) string   { return "tasks:\n  a:\n" + body }
func cmds(cmd string) string    { return "    cmds:\n    - " + cmd + "\n" }
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func pick(r *rand.Rand, texts ...string) string { return texts[r.IntN(len(texts))] }

// TestBombs runs Taskfiles that need more than available, and stops some at any moment:
// weft ends, with an error that has a position or by the signal, never by a crash of Go,
// and within its memory. WEFT_BOMBS is the number of tries, WEFT_SEED the first seed.
func TestBombs(t *testing.T) {
	t.Parallel()
	tries := len(bombs)
	if n, err := strconv.Atoi(os.Getenv("WEFT_BOMBS")); err == nil {
		tries = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		seed = n
	}
	most, longest := int64(0), time.Duration(0)
	for i := range tries {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b := bombs[i%len(bombs)]
		memory, took, err := b.explode(t, r)
		most, longest = max(most, memory), max(longest, took)
		if err != nil {
			t.Fatalf("%s (WEFT_SEED=%d, try %d): %v", b.name, seed, i, err)
		}
	}
	t.Logf("%d tries, at most %d MiB, %s to end after a signal", tries, most>>10, longest)
}

// explode runs b once. It returns how much memory that took, in KiB, and how long weft took
// to end after the signal, if it got one.
func (b *bomb) explode(t *testing.T, r *rand.Rand) (memory int64, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "bomb")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text := "version: '3'\n" + b.text(r)
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weft", "-s", "-y", "a")
	cmd.Dir = dir
	var out bytes.Buffer
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log // no pipe, which a program left behind might hold
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	alone := time.Duration(patience) // until it must have ended by itself
	signalled := b.waits || r.IntN(3) == 0
	if signalled {
		alone = time.Duration(r.Int64N(int64(500 * time.Millisecond)))
	}
	var status error
	select {
	case status = <-ended:
		signalled = false
	case <-time.After(alone):
		if !signalled {
			cmd.Process.Kill()
			<-ended
			return 0, 0, errors.New("it does not end")
		}
		since := time.Now()
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case status = <-ended:
		case <-time.After(patience):
			cmd.Process.Signal(syscall.SIGQUIT)
			cmd.Process.Kill()
			<-ended
			return 0, 0, fmt.Errorf("SIGTERM after %s does not end it:\n%.500s", alone, text)
		}
		took = time.Since(since)
	}
	b1, _ := os.ReadFile(log.Name())
	out.Write(b1)
	memory = int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	for _, crash := range [...]string{"goroutine ", "fatal error:", "panic:", "runtime:"} {
		if bytes.Contains(b1, []byte(crash)) {
			return memory, took, fmt.Errorf("a crash of Go:\n%.500s\n%.500s", text, b1)
		}
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case memory > mostMemory && !raceDetector:
		err = fmt.Errorf("it takes %d MiB:\n%.500s", memory>>10, text)
	case status == nil && !signalled:
		err = fmt.Errorf("it succeeds:\n%.500s", text)
	case ws.Signaled() && (!signalled || ws.Signal() != syscall.SIGTERM):
		err = fmt.Errorf("it dies of %s:\n%.500s", ws.Signal(), text)
	case !ws.Signaled() && !b.waits && !bytes.Contains(b1, []byte("Taskfile.yml:")):
		err = fmt.Errorf("its error has no position:\n%.500s\n%.500s", text, b1)
	}
	return memory, took, err
}
