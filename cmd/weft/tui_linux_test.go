package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weftrun/weft/engine/control"
)

// fullScreen is a pane in which weft runs tasks with --tui.
type fullScreen struct {
	*pane
	runtime string // directory of the control sockets
	weft    string // beginning of command lines
}

// newFullScreen returns a pane with a shell in a directory that contains files.
func newFullScreen(t *testing.T, columns int, files string) *fullScreen {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := os.MkdirTemp("/tmp", "weft-test-") // the length of a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		endDetached(runtime)
		os.RemoveAll(runtime)
	})
	return &fullScreen{newPane(t, columns, 24, files), runtime, "LC_ALL=C.UTF-8 XDG_RUNTIME_DIR=" + runtime + " " + bin + "/weft "}
}

// left checks that the terminal has its earlier state, and that no run has a socket.
func (s *fullScreen) left() {
	s.t.Helper()
	if on := strings.TrimSpace(s.tmux("display", "-p", "#{alternate_on}")); on != "0" {
		s.t.Errorf("the screen is still the other one: %s", on)
	}
	s.run("stty -a")
	s.see(` icanon`)
	s.see(` echo `)
	if names, _ := os.ReadDir(s.runtime + "/weft"); len(names) > 0 {
		s.t.Errorf("the run is still there: %v", names)
	}
}

// asking are tasks that ask the user in different ways while a service runs. Programs that open the
// terminal themselves ask after the whole screen has been drawn: before that, the program that draws
// it may read the answer.
const asking = `tasks:
  api: {service: true, ready: {log: up}, cmd: 'echo api is up; exec sleep 100'}
  own: {deps: [api], interactive: true, cmd: 'printf "Name: "; read x; echo $x >got; sh wait.sh'}
  program: {deps: [api], interactive: true, cmd: sh ask.sh}
  stdout: {deps: [api], cmd: 'sh tty.sh'}
  password: {deps: [api], cmd: 'sh password.sh; sh wait.sh'}
  twice: {deps: [api], cmd: 'bash twice.sh; sh wait.sh'}
  pager: {deps: [api], cmd: 'sh page.sh; sh wait.sh'}
  prompt: {deps: [api], prompt: 'Really Name:', cmd: 'echo y >got; sh wait.sh'}
  missing: {deps: [api], requires: {vars: [X]}, cmd: 'echo {{.X}} >got; sh wait.sh'}
-- wait.sh --
while [ ! -e go ]; do sleep 0.01; done
-- ask.sh --
printf 'Name: '
read x
echo $x >got
-- tty.sh --
while [ ! -e drawn ]; do sleep 0.01; done
printf 'Name: '
read x </dev/tty
echo $x >got
echo hello $x
while [ ! -e go ]; do sleep 0.01; done
-- password.sh --
while [ ! -e drawn ]; do sleep 0.01; done
stty -echo </dev/tty
printf 'Name: ' >/dev/tty
read x </dev/tty
stty echo </dev/tty
echo $x >got
-- twice.sh --
while [ ! -e drawn ]; do sleep 0.01; done
read -r -s -p 'Secret: ' x </dev/tty
printf '\nAgain: ' >/dev/tty
read -r -s y </dev/tty
echo $x $y >got
-- page.sh --
while [ ! -e drawn ]; do sleep 0.01; done
stty -icanon -echo <&2
printf 'Name:'
dd bs=1 count=1 <&2 2>/dev/null >got
stty icanon echo <&2
`

// read waits until the program has written what it has read.
func (s *fullScreen) read(want string) {
	s.t.Helper()
	var got []byte
	var err error
	if !eventually(func() bool {
		got, err = os.ReadFile(filepath.Join(s.dir, "got"))
		return strings.TrimSpace(string(got)) == want
	}) {
		s.t.Errorf("it has read %q, %v, want %q", got, err, want)
	}
}

// TestScreenLent: a program or prompt that needs the terminal during --tui gets it, and then the
// whole screen is drawn again.
func TestScreenLent(t *testing.T) {
	for _, tt := range []struct {
		task  string
		after string // what the terminal shows after the answer
	}{
		{"own", `^Name: y$`},  // while the command runs
		{"program", `over 0`}, // the run ends with it
		{"stdout", `^Name: y\nhello y$`},
		{"password", `^ weft password`},
		{"pager", `^ weft pager`},
		{"prompt", `^ weft prompt`},
		{"missing", `^ weft --interactive missing|^ weft missing`},
	} {
		t.Run(tt.task, func(t *testing.T) {
			s := newFullScreen(t, 80, asking)
			flags := ""
			if tt.task == "missing" {
				flags = "--interactive "
			}
			s.run(s.weft + "--tui " + flags + tt.task + "; echo over $?")
			switch tt.task {
			case "stdout", "password", "pager":
				s.see(`│`)
				s.let("drawn")
			}
			asks := s.see(`(Name|Value of X):`)
			if strings.Contains(asks, "│") {
				t.Errorf("the whole screen is still there:\n%s", asks)
			}
			s.keys("y", "Enter")
			s.see(tt.after)
			s.read("y")
			s.let("go")
			s.see(`over 0$`)
			s.left()
		})
	}
}

// unseen waits until the terminal reads lines without echoing them.
func (s *fullScreen) unseen() {
	s.t.Helper()
	tty := strings.TrimSpace(s.tmux("display", "-p", "#{pane_tty}"))
	var got []byte
	if !eventually(func() bool {
		got, _ = exec.Command("stty", "-a", "-F", tty).Output()
		return strings.Contains(string(got), " icanon") && strings.Contains(string(got), " -echo ")
	}) {
		s.t.Errorf("the terminal has the settings\n%s", got)
	}
}

// TestScreenLentPassword: at a prompt that does not echo, keys erase what was typed, and Ctrl-C ends the
// run.
func TestScreenLentPassword(t *testing.T) {
	begin := func(t *testing.T, task string) *fullScreen {
		s := newFullScreen(t, 80, asking)
		s.run(s.weft + "--tui " + task + "; echo over $?")
		s.see(`│`)
		s.let("drawn")
		return s
	}
	t.Run("erase", func(t *testing.T) {
		s := begin(t, "password")
		s.see(`^Name:$`)
		s.unseen()
		s.keys("a", "b", "C-u", "y", "z", "BSpace", "Enter")
		s.read("y")
		s.let("go")
		s.see(`over 0$`)
		s.left()
	})
	t.Run("again", func(t *testing.T) {
		s := begin(t, "twice")
		s.see(`^Secret:$`)
		s.unseen()
		s.keys("a", "b", "BSpace", "Enter")
		s.see(`^ *Again:$`)
		s.unseen()
		s.keys("c", "d", "BSpace", "Enter")
		s.read("a c")
		s.let("go")
		s.see(`over 0$`)
		s.left()
	})
	for _, task := range []string{"password", "twice"} {
		t.Run("keys at "+task, func(t *testing.T) {
			s := begin(t, task)
			s.see(`^(Name|Secret):$`)
			s.unseen()
			s.keys("a", "C-c")
			s.see(`stopped by signal: inte\n?rrupt`)
			s.see(`over 130$`)
			s.left()
		})
	}
}

// TestScreenLentStopped: Ctrl-Z stops all programs of a run with --tui, whichever program has the
// terminal, and fg continues them.
func TestScreenLentStopped(t *testing.T) {
	for _, task := range []string{"own", "program", "prompt"} {
		t.Run(task, func(t *testing.T) {
			s := newFullScreen(t, 80, asking)
			s.run(s.weft + "--tui " + task)
			s.see(`Name:`)
			s.keys("C-z")
			s.see(`Stopped[^$]*\n\$$`)
			s.run("echo here; fg")
			s.see(`^here\n[^$]*weft`)
			s.let("go")
			s.keys("y", "Enter")
			s.see(`\$$`)
			s.read("y")
			s.left()
		})
	}
}

// TestScreenLentEnds: Ctrl-C or a signal ends a run whose task has the terminal. No process of a
// killed run survives.
func TestScreenLentEnds(t *testing.T) {
	for _, tt := range []struct {
		name, task string
		end        func(s *fullScreen)
		code       int
	}{
		{"keys", "own", func(s *fullScreen) { s.keys("C-c") }, 130},
		{"keys of a program", "program", func(s *fullScreen) { s.keys("C-c") }, 130},
		{"keys at a prompt", "prompt", func(s *fullScreen) { s.keys("C-c") }, 130},
		{"killed", "program", func(s *fullScreen) { s.signal(syscall.SIGKILL) }, 137},
		{"told", "program", func(s *fullScreen) { s.signal(syscall.SIGTERM) }, 143},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newFullScreen(t, 80, asking)
			s.run(s.weft + "--tui " + tt.task + "; echo over $?")
			s.see(`Name:`)
			tt.end(s)
			if tt.code == 130 {
				s.see(`stopped by signal: inte\n?rrupt`) // the echo of ^C may wrap the line
			} else {
				s.see(fmt.Sprintf(`over %d\n`, tt.code))
				control.List(func(string) string { return s.runtime }) // List removes sockets of dead runs
			}
			s.keys("Enter")
			s.left()
		})
	}
}

// signal sends a signal to the process that performs the run.
func (s *fullScreen) signal(sig syscall.Signal) {
	s.t.Helper()
	all := control.List(func(string) string { return s.runtime })
	if len(all) != 1 {
		s.t.Fatalf("found %v", all)
	}
	c, err := control.Dial(all[0].Path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := syscall.Kill(c.Hello.Pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// TestScreenFull runs a stack with --tui, uses its keys, and quits.
func TestScreenFull(t *testing.T) {
	for _, columns := range []int{40, 80, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			p := newFullScreen(t, columns, `tasks:
  default: {deps: [api]}
  api: {service: true, ready: {log: up}, deps: [lint], cmd: 'echo api is up; exec sleep 100'}
  lint: {ignore_error: true, cmd: 'echo a complaint; exit 3'}
`)
			p.run(p.weft + "--tui; echo over $?")
			p.see(`api .*ready`)
			p.keys("f", "a", "p", "i", "Enter")
			p.see(`^ weft \(api\)`)

			if columns < 60 {
				p.keys("Tab")
			}
			p.see(`api is up`)
			p.keys("r")
			p.see(`restarts 1`)
			p.keys("?")
			p.see(`stop; Enter: detail`)
			p.keys("?", "q")
			p.see(`^weft: api: ready \d+s, 1 restart\nover 0\n\$`)
			p.left()
		})
	}
}
