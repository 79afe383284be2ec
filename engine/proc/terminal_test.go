package proc

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestTerminal types into runners with pseudo-terminals.
func TestTerminal(t *testing.T) {
	for role, dialogue := range map[string][]string{
		"owner":     {"ask", "> a\n", "got:a", "ask", "> b\n", "got:b"},
		"two":       {"ask", "> a\n", "got:a", "> b\n", "got:b"},
		"many":      {"ask", "> a\n", "got:a", "> b\n", "got:b", "> c\n", "got:c", "> d\n", "got:d", "> e\n", "got:e", "> f\n", "got:f", "> g\n", "got:g", "> h\n", "got:h"},
		"raw":       {"ask", "> x", "restored: true"},
		"stty":      {"echo: false true"},
		"interrupt": {"ask", "> \x03", "signal: true 0"},
		"caught":    {"ask", "> \x03", "mine", "code: 0 0"},
		"suspend":   {"ask", "> \x1a", "> a\n", "got:a"},
		"stopped":   {"ours: true"},
		"read":      {"ask", "> a\n", "got:a"},
	} {
		t.Run(role, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "PROC_TEST_ROLE="+role)
			talk(t, cmd, append(dialogue, "over", "> \n"))
		})
	}
}

// TestJobControl types into a shell that runs a runner as its job.
func TestJobControl(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for name, dialogue := range map[string][]string{
		"stop and continue":           {"> $R\n", "ask", "> \x1a", "Stopped", "> echo at 'the shell'\n", "at the shell", "> fg\n", "> a\n", "got:a", "ask", "> \x1a", "Stopped", "> fg\n", "> b\n", "got:b", "over"},
		"reads in the background":     {"> $R &\n", "ask", "? Stopped", "> fg\n", "> a\n", "got:a", "ask", "> b\n", "got:b", "over"},
		"continued in the background": {"> $R\n", "ask", "> \x1a", "Stopped", "> bg\n", "? Stopped", "> fg\n", "> a\n", "got:a", "ask", "> b\n", "got:b", "over"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(bash, "--norc", "--noprofile", "-i")
			cmd.Env = append(os.Environ(), "PS1=$ ", "R=env PROC_TEST_ROLE=owner "+os.Args[0], "HISTFILE=")
			talk(t, cmd, append(dialogue, "> \n", "> exit\n"))
		})
	}
}

// talk runs a program on a pseudo-terminal with a dialogue: a line is expected, or typed after ">
// "; "? " repeats the shell's jobs command until the text appears.
func talk(t *testing.T, cmd *exec.Cmd, dialogue []string) {
	t.Helper()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Skip(err)
	}
	defer tty.Close()
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
	write := func(s string) {
		if _, err := tty.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(30 * time.Second)
	seen, rest := "", ""
	for _, step := range dialogue {
		if typed, ok := strings.CutPrefix(step, "> "); ok {
			write(typed)
			continue
		}
		step, asking := strings.CutPrefix(step, "? ")
		for !strings.Contains(rest, step) {
			var again <-chan time.Time
			if asking {
				again = time.After(50 * time.Millisecond)
			}
			s, ok := "", false
			select {
			case s, ok = <-text:
			case <-again:
				write("jobs\n")
				continue
			case <-deadline:
			}
			if !ok {
				cmd.Process.Kill()
				cmd.Wait()
				t.Fatalf("waiting for %q; %v; seen:\n%s", step, cmd.ProcessState, seen)
			}
			seen, rest = seen+s, rest+s
		}
		_, rest, _ = strings.Cut(rest, step)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
