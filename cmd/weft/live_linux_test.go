package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestLiveStreams checks, for each way of running, the standard output and standard error of
// commands: the terminal itself ("term"), a terminal of their own ("tty") or none ("no").
func TestLiveStreams(t *testing.T) {
	const files = `-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [side, other, asks], cmds: [{task: alone}]}
  side: sh tell.sh side
  other: sh tell.sh other 2>other.txt
  asks: {interactive: true, cmds: [sh tell.sh asks]}
  alone: sh tell.sh alone
  behind: {cmds: [{cmd: sh wait.sh, background: true}, sh tell.sh behind, touch go]}
  served: {deps: [server], cmds: [sh tell.sh served]}
  server: {service: true, ready: {log: up}, cmd: 'sh tell.sh server; echo up; exec sleep 60'}
-- wait.sh --
until [ -e go ]; do sleep 0.01; done
-- tell.sh --
see() {
	if [ /proc/$$/fd/$1 -ef "$TERMINAL" ]; then echo term; elif [ -t $1 ]; then echo tty; else echo no; fi
}
exec 3>&1 4>&2
set -- $1 $(see 3) $(see 4)
size=$(stty size <&3 2>/dev/null)
echo "$2 $3 $size" >$1.seen
`
	term, tty, none := "term term 24 100", "tty tty 24 100", "no no "
	for name, c := range map[string]struct {
		args string
		env  string
		want map[string]string // what tasks see
	}{
		"live":        {want: map[string]string{"side": tty, "other": "tty no 24 100", "asks": term, "alone": term}},
		"line":        {args: "--progress=line", want: map[string]string{"side": tty, "alone": term}},
		"one by one":  {args: "-C 1", want: map[string]string{"side": term, "alone": term}},
		"keep-order":  {args: "-o keep-order", want: map[string]string{"side": tty, "asks": term, "alone": term}},
		"group":       {args: "-o group", want: map[string]string{"side": none, "asks": term, "alone": none}},
		"prefixed":    {args: "-o prefixed", want: map[string]string{"side": none, "alone": none}},
		"recorded":    {args: "--record", want: map[string]string{"side": tty, "asks": term, "alone": tty}},
		"off":         {args: "--progress=off", want: map[string]string{"side": term, "alone": term}},
		"plain":       {args: "--progress=plain", want: map[string]string{"side": term, "alone": term}},
		"accessible":  {env: "ACCESSIBLE=1", want: map[string]string{"side": term, "alone": term}},
		"dumb":        {env: "TERM=dumb", want: map[string]string{"side": term, "alone": term}},
		"nested":      {env: "WEFT_RUN_ID=outer", want: map[string]string{"side": term, "alone": term}},
		"CI":          {env: "CI=true", want: map[string]string{"side": term, "alone": term}},
		"NO_COLOR":    {env: "NO_COLOR=1", want: map[string]string{"side": tty, "alone": term}},
		"one task":    {args: "alone", want: map[string]string{"alone": term}},
		"background":  {args: "behind", want: map[string]string{"behind": tty}},
		"a service":   {args: "served -o interleaved", want: map[string]string{"server": tty, "served": tty}},
		"the drop-in": {args: "task", want: map[string]string{"side": term, "alone": term}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range txtar.Parse([]byte(files)).Files {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("weft", strings.Fields(c.args)...)
			if c.args == "task" {
				cmd = exec.Command("task")
			}
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "TERM=xterm", c.env)
			runOn(t, cmd, 100)
			for task, want := range c.want {
				got, err := os.ReadFile(filepath.Join(dir, task+".seen"))
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.TrimSuffix(string(got), "\n"); got != want {
					t.Errorf("%s sees %q, not %q", task, got, want)
				}
			}
		})
	}
}

// runOn runs a program on a terminal of some columns and 24 lines, whose name it gets in
// TERMINAL, and returns what it shows there.
func runOn(t *testing.T, cmd *exec.Cmd, columns uint16) string {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("no terminal to be had here: %v", err)
	}
	defer master.Close()
	pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: columns})
	cmd.Env = append(cmd.Env, "TERMINAL="+slave.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	hang := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer hang.Stop()
	shown, _ := io.ReadAll(master) // until it is closed everywhere
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, shown)
	}
	return string(shown)
}

// TestLiveColours: programs that see a terminal show colours there, and each line ends.
func TestLiveColours(t *testing.T) {
	dir := t.TempDir()
	taskfile := `version: '3'
silent: true
tasks:
  default: {deps: [a, b]}
  a: ls --color=auto -d /
  b: printf 'last\nline'
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("weft")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm", "LS_COLORS=di=01;34")
	shown := runOn(t, cmd, 80)
	for _, line := range []string{"\x1b[0;1;34m/\x1b[0m\r\n", "last\r\n", "line\r\n"} {
		if !strings.Contains(shown, line) {
			t.Errorf("%q is not in %q", line, shown)
		}
	}
}

// TestReplayOfLive: steps that wrote to terminals side by side are shown line by line when their
// run is replayed, as they were.
func TestReplayOfLive(t *testing.T) {
	dir := t.TempDir()
	const taskfile = `version: '3'
silent: true
tasks:
  default: {deps: [a, b]}
  a: printf 'a be'; touch a; until [ -e b ]; do sleep 0.01; done; printf 'gins\nthe end of a'
  b: until [ -e a ]; do sleep 0.01; done; printf '10%%\r99%%\rb al'; touch b; printf 'so\n'
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o666); err != nil {
		t.Fatal(err)
	}
	weft := func(args ...string) *exec.Cmd {
		cmd := exec.Command("weft", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TERM=xterm", "WEFT_HISTORY=5")
		return cmd
	}
	runOn(t, weft("-C", "2"), 80)
	for _, style := range []string{"interleaved", "keep-order", "group"} {
		var out bytes.Buffer
		cmd := weft("--replay", "1", "-o", style, "--events", style)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatal(err, out.String())
		}
		lines := strings.Split(out.String(), "\n")
		slices.Sort(lines)
		if got := strings.Join(lines, "|"); got != "|a begins|b also|the end of a" {
			t.Errorf("%s: %q", style, out.String())
		}
		events, err := os.ReadFile(filepath.Join(dir, style))
		if err != nil || !bytes.Contains(events, []byte(`99%\r`)) {
			t.Errorf("%s: what was recorded is not in the events: %v", style, err)
		}
	}
}

// TestLivePrograms: programs that check for a terminal find one, and their drawing does not remain
// on the screen: of their control sequences only colours do.
func TestLivePrograms(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		setup   string // run before
		cmd     string
		want    []string // lines, control sequences and all
	}{
		"python": {"python3", "", `python3 -c 'import sys, os; print(sys.stdout.isatty(), sys.stderr.isatty(), os.get_terminal_size().columns); sys.stdout.write("\r50%\r\x1b[K100%\n")'`, []string{"True True 100", "100%"}},
		"node":   {"node", "", `node -e 'console.log([process.stdout.isTTY, process.stdout.columns, process.stdout.hasColors()].join(" ")); console.log({a: 1}); process.stdout.write("50%"); process.stdout.clearLine(0); process.stdout.cursorTo(0); process.stdout.write("100%\n")'`, []string{"true 100 true", "{ a: \x1b[0;33m1\x1b[0m }", "100%"}},
		"git":    {"git", "git init -q . && git add Taskfile.yml", `git -c color.ui=auto -c core.pager=cat status --short --branch`, []string{"\x1b[0;32mA\x1b[0m  Taskfile.yml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skip("it is not installed here: ", err)
			}
			dir := t.TempDir()
			taskfile := "version: '3'\nsilent: true\ntasks:\n  default: {deps: [a, b]}\n  b: 'true'\n  a:\n    cmd: |\n      " + c.cmd + "\n"
			if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o666); err != nil {
				t.Fatal(err)
			}
			env := append(os.Environ(), "TERM=xterm-256color", "HOME="+dir, "NODE_NO_WARNINGS=1", "GIT_CONFIG_NOSYSTEM=1")
			if c.setup != "" {
				setup := exec.Command("sh", "-c", c.setup)
				setup.Dir, setup.Env = dir, env
				if out, err := setup.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			cmd := exec.Command("weft")
			cmd.Dir, cmd.Env = dir, env
			shown := runOn(t, cmd, 100)
			for _, line := range c.want { // rows may come between
				if !strings.Contains(shown, line+"\r\n") {
					t.Errorf("%q is not in %q", line, shown)
				}
			}
			left := regexp.MustCompile(`\x1b\[[0-9;]*m|\r\x1b\[\d+A\x1b\[J`).ReplaceAllString(shown, "") // colours, and what takes rows away
			if strings.ContainsRune(left, '\x1b') {
				t.Errorf("more than colours is left in %q", shown)
			}
		})
	}
}

// TestLiveNoTerminals: if no terminal can be opened, commands write to pipes, without a message.
func TestLiveNoTerminals(t *testing.T) {
	dir := t.TempDir()
	taskfile := `version: '3'
silent: true
tasks:
  default: {deps: [a, b]}
  a: sh -c 'test -t 1 || echo a:pipe'
  b: sh -c 'test -t 1 || echo b:pipe'
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o666); err != nil {
		t.Fatal(err)
	}
	const hide = "mount --bind /dev/null /dev/ptmx" // which makes new terminals
	if err := exec.Command("unshare", "-m", "sh", "-c", hide).Run(); err != nil {
		t.Skip("nothing can be mounted here: ", err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", hide+" && exec weft")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm")
	shown := runOn(t, cmd, 80)
	if want := twice("a:pipe\r", "b:pipe\r"); !regexp.MustCompile(`\A` + want + `\n\z`).MatchString(shown) {
		t.Errorf("the terminal shows %q", shown)
	}
}
