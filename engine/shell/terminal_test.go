package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/weftrun/weft/engine/proc"
)

// onTerminal is the main function of the test binary when it is started as a runner on its own
// terminal: it runs the script of the environment. When that says "ask", it is stopped if the role
// says so.
func onTerminal(script string) int {
	t := proc.NewTable(proc.Options{Terminal: os.Stdin})
	defer t.Close(false)
	g := t.NewGroup(proc.GroupOptions{Terminal: true})
	defer g.Close()
	sc := &Script{Text: script, Dir: "/", Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Group: g}
	if os.Getenv("SHELL_TEST_STOP") != "" {
		r, w, err := os.Pipe()
		if err != nil {
			return 1
		}
		sc.Stdout = w
		go func() {
			bufio.NewReader(r).ReadString('\n')
			g.Stop(errors.New("interrupted"), proc.Ladder{})
		}()
	}
	err := New(Options{}).Run(context.Background(), sc)
	fmt.Println("over:", err)
	// A terminal may lose output written right before its last user closed it.
	os.Stdin.Read(make([]byte, 1))
	return 0
}

// TestTerminal types into scripts. Each line of the dialogue is expected or,
// after "> ", typed.
func TestTerminal(t *testing.T) {
	for _, tt := range []struct {
		script   string
		dialogue []string
	}{
		{"read -p 'name? ' x; echo got:$x", []string{"name?", "> a\n", "got:a"}},
		{"read -s x; echo got:$x", []string{"> a\n", "got:a"}},
		{"sleep 60 & echo ask; read x; echo got:$x; kill $!; wait", []string{"ask", "> a\n", "got:a"}},
		{"echo data | sh -c 'cat; read x </dev/tty; echo got:$x'", []string{"data", "> a\n", "got:a"}},
		{"sh -c 'read x; echo got:$x'", []string{"> a\n", "got:a"}},
		{"read x </dev/tty; echo got:$x", []string{"> a\n", "got:a"}},
		{"for i in 1 2; do read x; echo shell:$x; sh -c 'read y; echo prog:$y'; done", []string{"> a\n", "shell:a", "> b\n", "prog:b", "> c\n", "shell:c", "> d\n", "prog:d"}},
		{"select x in one two; do echo got:$x; break; done", []string{"2) two", "> 2\n", "got:two"}},
		{"sh -c 'read x </dev/tty; echo one:$x' & sh -c 'read x </dev/tty; echo two:$x' & wait", []string{"> \n", ":", "> \n", ":"}},
		{"STOP read x; echo no", nil},
		{"STOP read -s x; echo no", nil},
		{"STOP sh -c 'read x'; echo no", nil},
		{"seq 200 | less", []string{"1", "> q"}},
		{"vim -u NONE -c 'q!'", nil},
	} {
		t.Run(tt.script, func(t *testing.T) {
			script, stop := strings.CutPrefix(tt.script, "STOP ")
			for _, program := range []string{"less", "vim"} {
				if _, err := exec.LookPath(program); err != nil && strings.Contains(script, program) {
					t.Skip(err)
				}
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SHELL_TEST_SCRIPT="+script, "TERM=xterm", "LESS=")
			if stop {
				cmd.Env = append(cmd.Env, "SHELL_TEST_SCRIPT=echo ask; "+script, "SHELL_TEST_STOP=1")
			}
			tty, err := pty.Start(cmd)
			if err != nil {
				t.Skip(err)
			}
			defer tty.Close()
			want := "over: <nil>"
			if stop {
				want = "over: interrupted"
			}
			talk(t, cmd, tty, append(tt.dialogue, want, "> \n"))
		})
	}
}

// talk expects and types the lines of a dialogue.
func talk(t *testing.T, cmd *exec.Cmd, tty *os.File, dialogue []string) {
	t.Helper()
	text := make(chan string, 100)
	go func() {
		defer close(text)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			text <- string(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	deadline := time.After(20 * time.Second)
	seen, rest := "", ""
	for _, step := range dialogue {
		if typed, ok := strings.CutPrefix(step, "> "); ok {
			if _, err := tty.WriteString(typed); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for !strings.Contains(rest, step) {
			s, ok := "", false
			select {
			case s, ok = <-text:
			case <-deadline:
			}
			if !ok {
				cmd.Process.Kill()
				cmd.Wait()
				t.Fatalf("waiting for %q; seen:\n%s", step, seen)
			}
			seen, rest = seen+s, rest+s
		}
		_, rest, _ = strings.Cut(rest, step)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
