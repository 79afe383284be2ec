package proc

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestTerminal types into runners that have a terminal of their own. Each line
// of the dialogue is either expected (in this order, others may come between) or,
// after "> ", typed. Nothing may hang.
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
			tty, err := pty.Start(cmd)
			if err != nil {
				t.Skip(err)
			}
			defer tty.Close()
			lines := make(chan string, 100)
			go func() {
				defer close(lines)
				for out := bufio.NewReader(tty); ; {
					line, err := out.ReadString('\n')
					lines <- line
					if err != nil {
						return
					}
				}
			}()
			deadline := time.After(20 * time.Second)
			var seen strings.Builder
			for _, step := range append(dialogue, "over") {
				if text, ok := strings.CutPrefix(step, "> "); ok {
					if _, err := tty.WriteString(text); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for found := false; !found; {
					select {
					case line, ok := <-lines:
						seen.WriteString(line)
						if found = strings.Contains(line, step); found || ok {
							continue
						}
					case <-deadline:
					}
					cmd.Process.Kill()
					cmd.Wait()
					t.Fatalf("waiting for %q; seen:\n%s", step, seen.String())
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
