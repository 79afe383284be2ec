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
			hang := time.AfterFunc(20*time.Second, func() {
				cmd.Process.Kill()
				tty.Close()
			})
			defer hang.Stop()
			out := bufio.NewReader(tty)
			var seen strings.Builder
			for _, step := range append(dialogue, "over") {
				if text, ok := strings.CutPrefix(step, "> "); ok {
					if _, err := tty.WriteString(text); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for {
					line, err := out.ReadString('\n')
					seen.WriteString(line)
					if err != nil {
						cmd.Process.Kill()
						cmd.Wait()
						t.Fatalf("waiting for %q: %v; seen:\n%s", step, err, seen.String())
					}
					if strings.Contains(line, step) {
						break
					}
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
