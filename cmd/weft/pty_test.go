//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestTerminal talks to the program through a terminal. A dialogue's lines are
// expected in this order, with other output between them, or typed after "> ", or
// name a file to write a line to after "+ "; "= " makes the terminal 40 columns
// wide. Whatever hangs fails.
func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		files    string // txtar; the Taskfile's tasks first
		args     string
		dialogue []string
		never    string // must not be printed
		ends     string // the process state, as os.ProcessState has it
	}{
		"read": {
			files:    `tasks: {default: ['printf "name? "; read x; echo "got:$x"', 'read y; echo "then:$y"']}`,
			dialogue: []string{"name? ", "> bob\n", "got:bob", "> eve\n", "then:eve"},
			ends:     "exit status 0",
		},
		"read in an external program": {
			files:    `tasks: {default: ["sh -c 'read x; echo got:$x'", task: b], b: {deps: [c]}, c: "sh -c 'read x; echo then:$x'"}`,
			args:     "-s",
			dialogue: []string{"> bob\n", "got:bob", "> eve\n", "then:eve"},
			ends:     "exit status 0",
		},
		"a pager at the end of a pipe": {
			files:    `tasks: {default: "echo data | sh -c 'cat; echo ready; read x </dev/tty; echo got:$x'"}`,
			args:     "-s",
			dialogue: []string{"data", "ready", "> q\n", "got:q"},
			ends:     "exit status 0",
		},
		"isatty holds in interleaved": {
			files:    `tasks: {default: ["sh -c 'test -t 0 && test -t 1 && test -t 2 && echo yes:ext'", "test -t 1 && test -t 2 && echo yes:int"]}`,
			args:     "-s",
			dialogue: []string{"yes:ext", "yes:int"},
			ends:     "exit status 0",
		},
		"isatty does not hold in group": {
			files:    `tasks: {default: "sh -c 'test -t 1 || echo no:out; test -t 2 || echo no:err'"}`,
			args:     "-s -o group",
			dialogue: []string{"no:out", "no:err"},
			ends:     "exit status 0",
		},
		"an interactive task keeps the terminal in group": {
			files:    `tasks: {default: {interactive: true, cmds: ["sh -c 'test -t 1 && read x && echo got:$x'"]}}`,
			args:     "-s -o group",
			dialogue: []string{"> x\n", "got:x"},
			ends:     "exit status 0",
		},
		"parallel readers get nothing": {
			files:    `tasks: {default: {deps: [a, b], cmds: [echo over]}, a: "cat; echo end:a", b: "cat; echo end:b"}`,
			args:     "-s",
			dialogue: []string{"over"},
			ends:     "exit status 0",
		},
		"prompt answered yes": {
			files:    `tasks: {default: {prompt: ['Sure?', 'Really?'], cmds: [echo ran]}}`,
			args:     "-s",
			dialogue: []string{"Sure? [y/N]: ", "> y\n", "Really? [y/N]: ", "> YES\n", "ran"},
			ends:     "exit status 0",
		},
		"prompt answered no": {
			files:    `tasks: {default: {prompt: 'Sure?', cmds: [echo ran]}}`,
			args:     "-s",
			dialogue: []string{"Sure? [y/N]: ", "> n\n", `task: Task "default" cancelled by user`},
			never:    "ran",
			ends:     "exit status 205",
		},
		"prompt not answered": {
			files:    `tasks: {default: {prompt: 'Sure?', cmds: [echo ran]}}`,
			args:     "-s",
			dialogue: []string{"Sure? [y/N]: ", "> \n"},
			never:    "ran",
			ends:     "exit status 205",
		},
		"prompt, then a command that reads": {
			files:    `tasks: {default: {prompt: 'Sure?', cmds: ['read x; echo "got:$x"']}}`,
			args:     "-s",
			dialogue: []string{"Sure? [y/N]: ", "> y\n", "> next\n", "got:next"},
			ends:     "exit status 0",
		},
		"Ctrl-C ends a script and the program": {
			files:    `tasks: {default: ['echo ready; sh -c "echo up; exec sleep 60" || echo OR; echo NEXT', echo LATER]}`,
			args:     "-s",
			dialogue: []string{"ready", "up", "> \x03"},
			never:    "OR",
			ends:     "signal: interrupt",
		},
		"Ctrl-C runs deferred commands": {
			files:    `tasks: {default: [defer: echo deferred, sh -c "echo up; exec sleep 60", echo LATER]}`,
			args:     "-s",
			dialogue: []string{"up", "> \x03", "deferred"},
			never:    "LATER",
			ends:     "signal: interrupt",
		},
		"--interactive asks for what is missing": {
			files:    `tasks: {default: {requires: {vars: [WHO, {name: ENV, enum: [dev, prod]}]}, cmds: ["echo {{.WHO}} in {{.ENV}}"]}}`,
			args:     "-s --interactive",
			dialogue: []string{"Value of WHO: ", "> bob\n", "1) dev", "2) prod", "Value of ENV: ", "> none\n", "1) dev", "Value of ENV: ", "> 2\n", "bob in prod"},
			ends:     "exit status 0",
		},
		"Ctrl-C while --interactive asks": {
			files:    `tasks: {default: {requires: {vars: [WHO]}, cmds: [echo ran]}}`,
			args:     "-s --interactive",
			dialogue: []string{"Value of WHO: ", "> \x03"},
			never:    "ran",
			ends:     "signal: interrupt",
		},
		"a third Ctrl-C ends what is deferred, too": {
			files: `tasks: {default: {deps: [a, b]}, a: {cmds: [{defer: sh stay.sh deferred}, sh stay.sh a]}, b: sh stay.sh b}
-- stay.sh --
trap 'echo int:$1' INT
echo up:$1
while :; do sleep 0.01; done
`,
			args:     "-s",
			dialogue: []string{"up:", "up:", "> \x03", "int:", "int:", "> \x03", "up:deferred", "> \x03"},
			ends:     "signal: interrupt",
		},
		"a new size reaches who has the terminal": {
			files:    `tasks: {default: sh size.sh}` + tellSize,
			args:     "-s",
			dialogue: []string{"ready", "= ", "10 40", "+ go", "end"},
			ends:     "exit status 0",
		},
		"a new size reaches parallel commands": {
			files:    `tasks: {default: {deps: [a, b]}, a: sh size.sh, b: sh size.sh}` + tellSize,
			args:     "-s",
			dialogue: []string{"ready", "ready", "= ", "10 40", "10 40", "+ go", "end", "end"},
			ends:     "exit status 0",
		},
		"Ctrl-C at a prompt": {
			files:    `tasks: {default: {prompt: 'Sure?', cmds: [echo ran]}}`,
			args:     "-s",
			dialogue: []string{"Sure? [y/N]: ", "> \x03"},
			never:    "ran",
			ends:     "signal: interrupt",
		},
		"Ctrl-C reaches a command once": {
			files:    "tasks: {default: sh count.sh}\n" + countInterrupts,
			args:     "-s",
			dialogue: []string{"ready", "> \x03", "int 1", "+ go", "ints:1"},
			never:    "int 2",
			ends:     "exit status 0",
		},
		"Ctrl-C reaches parallel commands once": {
			files:    "tasks: {default: {deps: [a, b]}, a: sh count.sh a, b: sh count.sh b}\n" + countInterrupts,
			args:     "-s",
			dialogue: []string{"ready", "ready", "> \x03", "int 1", "int 1", "+ go", "ints:1", "ints:1"},
			never:    "int 2",
			ends:     "signal: interrupt",
		},
		"a second Ctrl-C kills": {
			files:    "tasks: {default: {deps: [a, b]}, a: sh count.sh, b: 'true'}\n" + countInterrupts,
			args:     "-s",
			dialogue: []string{"ready", "> \x03", "int 1", "> \x03"},
			never:    "ints:",
			ends:     "signal: interrupt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := txtar.Parse([]byte("-- Taskfile.yml --\nversion: '3'\n" + c.files + "\n"))
			for _, f := range a.Files {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			seen, state := converse(t, dir, exec.Command("task", strings.Fields(c.args)...), c.dialogue)
			if got := state.String(); got != c.ends {
				t.Errorf("ended with %q, want %q; seen:\n%s", got, c.ends, seen)
			}
			if c.never != "" && strings.Contains(seen, c.never) {
				t.Errorf("%q was printed; seen:\n%s", c.never, seen)
			}
		})
	}
}

// tellSize is a program that prints the new size of the terminal.
const tellSize = `
-- size.sh --
trap 'stty size </dev/tty' WINCH
echo ready
while [ ! -e go ]; do sleep 0.01; done
echo end
`

// countInterrupts is a program that reports each SIGINT, and their number when it is told to exit.
const countInterrupts = `-- count.sh --
n=0
trap 'n=$((n+1)); echo "int $n"' INT
echo ready
while [ ! -e go ]; do sleep 0.01; done
echo "ints:$n"
`

// converse runs cmd in dir on a terminal of its own and returns what it printed
// and how it ended.
func converse(t *testing.T, dir string, cmd *exec.Cmd, dialogue []string) (seen string, state *os.ProcessState) {
	t.Helper()
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb", "NO_COLOR=1", "HOME="+dir, "PS1=$ ", "HISTFILE=")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Skipf("no terminal to be had here: %v", err)
	}
	defer tty.Close()
	// The child leads its session, so this ends all that share its terminal.
	hang := time.AfterFunc(patience, func() {
		t.Error("hangs")
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		tty.Close()
	})
	defer hang.Stop()

	var all strings.Builder
	unread := "" // output since the last expected line
	buf := make([]byte, 4096)
	read := func() bool {
		n, err := tty.Read(buf)
		all.Write(buf[:n])
		unread += string(buf[:n])
		return err == nil
	}
	for _, step := range dialogue {
		if text, ok := strings.CutPrefix(step, "> "); ok {
			if _, err := tty.WriteString(text); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if name, ok := strings.CutPrefix(step, "+ "); ok {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if step == "= " {
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 10, Cols: 40}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for !strings.Contains(unread, step) {
			if !read() {
				cmd.Wait()
				t.Fatalf("%q did not come; seen:\n%s", step, all.String())
			}
		}
		_, unread, _ = strings.Cut(unread, step)
	}
	for read() {
	}
	cmd.Wait()
	return all.String(), cmd.ProcessState
}
