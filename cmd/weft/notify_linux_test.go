package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// notified runs weft under a supervisor with a socket of that name, and passes each message to told
// while weft runs.
func notified(t *testing.T, socket, tasks string, told func(weft *exec.Cmd, message string), args ...string) (messages []string, out string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var text bytes.Buffer
	weft := exec.Command("weft", args...)
	weft.Dir = project(t, map[string]string{"Taskfile.yml": tasks})
	weft.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	weft.Stdout, weft.Stderr = &text, &text
	if err := weft.Start(); err != nil {
		t.Fatal(err)
	}
	// The last message is ours, behind all that weft has sent.
	const over = "over"
	us, err := net.DialUnix("unixgram", nil, conn.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer us.Close()
	go func() {
		weft.Wait()
		us.Write([]byte(over))
	}()
	for b := make([]byte, 4096); ; {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == over {
			return messages, text.String()
		}
		messages = append(messages, string(b[:n]))
		if told != nil {
			told(weft, string(b[:n]))
		}
	}
}

// TestNotify: a supervisor is notified when all services are up and when the run ends, and no
// command gets the socket's name.
func TestNotify(t *testing.T) {
	kill := func(weft *exec.Cmd, message string) {
		if message == "READY=1" {
			weft.Process.Signal(syscall.SIGTERM)
		}
	}
	const wait = "sh -c \"while [ ! -e stop ]; do sleep 0.01; done\""
	for name, test := range map[string]struct {
		tasks string
		args  []string
		told  func(*exec.Cmd, string)
		want  string
		out   string
	}{
		"command":    {"tasks: {default: ['" + wait + "']}\n", nil, kill, "READY=1 STOPPING=1", ""},
		"at its end": {"tasks: {default: {}}\n", nil, nil, "READY=1 STOPPING=1", ""},
		"failed":     {"tasks: {default: {preconditions: ['false'], cmd: 'true'}}\n", nil, nil, "STOPPING=1", ""},
		"variable":   {"tasks: {default: 'echo \"[$NOTIFY_SOCKET]\"; sh -c \"echo [\\$NOTIFY_SOCKET]\"'}\n", nil, nil, "READY=1 STOPPING=1", "[]\n[]\n"},
		"watching": {"tasks: {default: {sources: [src], cmds: ['touch ran-$(cat src)']}}\n", []string{"--watch", "--interval", "10ms"}, func(weft *exec.Cmd, message string) {
			if message != "READY=1" {
				return
			}
			in := func(name string) string { return filepath.Join(weft.Dir, name) }
			for _, text := range []string{"1", "2"} { // two runs end meanwhile
				eventually(func() bool {
					os.WriteFile(in("src"), []byte(text), 0o600)
					_, err := os.Stat(in("ran-" + text))
					return err == nil
				})
			}
			weft.Process.Signal(syscall.SIGTERM)
		}, "READY=1 STOPPING=1", ""},
		"services": {`
tasks:
  default: {deps: [a, b]}
  a: {service: true, cmd: 'touch a-began; sh -c "while [ ! -e go ]; do sleep 0.01; done; touch a-up; exec sleep 60"', ready: {file: a-up, interval: 10ms}}
  b: {service: true, deps: [c], cmd: 'exec sleep 60'}
  c: 'until [ -e a-began ]; do sleep 0.01; done; [ ! -e a-up ] && touch go'
`, nil, kill, "READY=1 STOPPING=1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, socket := range []string{filepath.Join(t.TempDir(), "s"), "@weft-test-" + filepath.Base(t.TempDir()) + name} {
				got, out := notified(t, socket, test.tasks, test.told, test.args...)
				if strings.Join(got, " ") != test.want || test.out != "" && out != test.out {
					t.Errorf("%s: told %q, want %s; %s", socket, got, test.want, out)
				}
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		weft := exec.Command("weft")
		weft.Dir = project(t, map[string]string{"Taskfile.yml": "tasks: {default: {cmd: echo ran, silent: true}}\n"})
		weft.Env = append(os.Environ(), "NOTIFY_SOCKET=/nonexistent/socket")
		out, err := weft.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(lines)
		if err != nil || len(lines) != 2 || lines[0] != "ran" || !strings.Contains(lines[1], "warning: NOTIFY_SOCKET: READY=1 was not sent: ") {
			t.Errorf("%v, %s", err, out)
		}
	})
}
