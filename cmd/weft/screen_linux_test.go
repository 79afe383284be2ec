package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// pane is a real terminal with a shell, that of tmux.
type pane struct {
	t      *testing.T
	dir    string
	socket string
}

// newPane returns a pane whose shell is in a directory with files.
func newPane(t *testing.T, columns, lines int, files string) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux here: ", err)
	}
	t.Parallel()
	// The name of a socket must be short.
	socket, err := os.MkdirTemp("", "weft-tmux-")
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t: t, dir: t.TempDir(), socket: filepath.Join(socket, "s")}
	for _, f := range txtar.Parse([]byte("-- Taskfile.yml --\nversion: '3'\nsilent: true\n" + files)).Files {
		if err := os.WriteFile(filepath.Join(p.dir, f.Name), f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		p.tmux("kill-server")
		os.RemoveAll(socket)
	})
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(lines), "-c", p.dir, "env PS1='$ ' HISTFILE= WEFT_HISTORY=0 sh -i")
	p.see(`^\$`)
	return p
}

// tmux runs a command of tmux and returns what it prints.
func (p *pane) tmux(args ...string) string {
	cmd := exec.Command("tmux", append([]string{"-S", p.socket}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && args[0] != "kill-server" {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys types keys, by the names that tmux has for them.
func (p *pane) keys(keys ...string) { p.tmux(append([]string{"send-keys"}, keys...)...) }

// run types a command line.
func (p *pane) run(line string) {
	p.tmux("send-keys", "-l", "clear; "+line)
	p.keys("Enter")
}

// shown returns the screen, without blank space at its end.
func (p *pane) shown() string {
	lines := strings.Split(p.tmux("capture-pane", "-p"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// see returns when the screen matches a pattern, of which ^ and $ stand for those of lines.
func (p *pane) see(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	var got string
	// An answer that comes in the first moment may count as a part of the question: then the output
	// of others is held for half a minute.
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = p.shown(); re.MatchString(got) {
			return got
		}
	}
	p.t.Fatalf("the screen never shows %q, but\n%s", pattern, got)
	return ""
}

// let writes a file for which a program waits.
func (p *pane) let(name string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), nil, 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// twoSteps say something, wait and say something more.
const twoSteps = `tasks:
  default: {deps: [first, second]}
  first: sh step.sh first
  second: sh step.sh second
-- step.sh --
echo begin:$1
while [ ! -e $1.go ]; do sleep 0.01; done
echo end:$1
`

// twice is what matches one text before the other, or after it.
func twice(a, b string) string { return "(" + a + "\n" + b + "|" + b + "\n" + a + ")" }

func TestScreenRows(t *testing.T) {
	for _, c := range []struct {
		columns, lines int
		rows           string
	}{
		{200, 40, `\n0/3 · 2 running · \d+s\n first +\d+s  begin:first\n second +\d+s  begin:second$`},
		{80, 24, `\n0/3 · 2 running · \d+s\n first +\d+s  begin:first\n second +\d+s  begin:second$`},
		{40, 24, `\n0/3 \d+s first \+1$`},
	} {
		t.Run(fmt.Sprint(c.columns), func(t *testing.T) {
			p := newPane(t, c.columns, c.lines, twoSteps)
			p.run("weft")
			begun := "^" + twice("begin:first", "begin:second")
			p.see(begun + c.rows)
			p.let("second.go")
			p.see(begun + "\nend:second\n1/3")
			p.let("first.go")
			p.see(begun + "\nend:second\nend:first\n\\$$")
		})
	}
	t.Run("19", func(t *testing.T) {
		p := newPane(t, 19, 24, twoSteps)
		p.run("weft; echo over")
		p.let("first.go")
		p.see(`end:first$`)
		time.Sleep(2 * engineTick) // nothing is to come
		if got := p.shown(); strings.Contains(got, "/3") {
			t.Errorf("there are rows:\n%s", got)
		}
		p.let("second.go")
		p.see(`end:second\nover\n\$$`)
	})
}

// engineTick is longer than rows take to appear.
const engineTick = 300 * time.Millisecond

// TestScreenResized resizes without wrapping the shown lines: tmux may move wrapped lines out of
// the screen, where they cannot be erased.
func TestScreenResized(t *testing.T) {
	p := newPane(t, 120, 30, twoSteps)
	p.run("weft")
	p.see(`^0/3 · 2 running`)
	for _, columns := range []string{"70", "30", "90", "80"} {
		p.tmux("resize-window", "-x", columns)
		switch columns {
		case "30":
			p.see(`^0/3 \d+s first \+1$`)
		default:
			p.see(`^0/3 · 2 running · \d+s\n first +\d+s  begin:first\n second +\d+s  begin:second$`)
		}
	}
	p.let("first.go")
	p.see(`^end:first\n1/3 · 1 running`)
	p.let("second.go")
	p.see("^" + twice("begin:first", "begin:second") + "\nend:first\nend:second\n\\$\\z")
}

// TestScreenNarrowed: rows that the terminal wraps are erased. It has lines above them, which leave
// the screen instead; a row that does so cannot be erased.
func TestScreenNarrowed(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [first, second]}
  first: sh fill.sh first
  second: sh fill.sh second
-- fill.sh --
n=0
while [ $n -lt 30 ]; do n=$((n+1)); echo $1 $n; done
echo $1, which writes more than there is room for in its row, so that this ends at the last column
while [ ! -e $1.go ]; do sleep 0.01; done
echo end:$1
`)
	p.run("weft; echo over")
	p.see(`^0/3 · 2 running · \d+s\n first .* writes more .*\n second .* writes more .*$`)
	p.let("first.go")
	p.see(`^end:first\n1/3 · 1 running`)
	p.tmux("resize-window", "-x", "40")
	p.see(`^end:first\n1/3 \d+s second$`)
	p.let("second.go")
	p.see(`^end:first\nend:second\nover\n\$`)
	if all := p.tmux("capture-pane", "-p", "-S", "-"); strings.Contains(all, "running") || strings.Contains(all, "1/3") {
		t.Errorf("rows are left:\n%s", all)
	}
}

// TestScreenScrollback: while the window becomes narrower and wider, every line of output goes to
// the scrollback once and in order, also lines that the terminal wraps, and no row does.
func TestScreenScrollback(t *testing.T) {
	p := newPane(t, 100, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [first, second]}
  first: sh lines.sh
  second: sh step.sh second
-- lines.sh --
n=0
for batch in 1 2 3 4 5 6 7 8; do
	while [ ! -e $batch.go ]; do sleep 0.01; done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		n=$((n+1))
		echo "line $n: some text that is longer than a narrow window has columns, so that it is wrapped; end $n"
	done
done
`)
	p.tmux("set-option", "-g", "history-limit", "10000")
	p.run("weft; echo over")
	p.see(`^0/3 · 2 running`)
	for batch, columns := range []int{100, 70, 61, 45, 30, 61, 80, 40} {
		// tmux wraps the rows at once, and tells the new size then, too, unless it has told one in the last
		// quarter of a second: rows drawn in between would be wrapped without weft's knowledge.
		time.Sleep(2 * engineTick)
		p.tmux("resize-window", "-x", fmt.Sprint(columns))
		switch {
		case columns < 60:
			p.see(`^0/3 \d+s first \+1$`)
		case batch > 0:
			p.see(fmt.Sprintf(`^ first .{%d}$`, columns-len(" first ")-1))
		}
		p.let(fmt.Sprint(batch+1, ".go"))
		p.see(fmt.Sprintf(`end\s+%d0\n(0/3|1/3) `, batch+1))
	}
	p.let("second.go")
	p.see(`^over\n\$`)
	p.tmux("resize-window", "-x", "120")
	var got []string
	for line := range strings.Lines(p.tmux("capture-pane", "-p", "-J", "-S", "-")) {
		if line = strings.TrimSpace(line); line != "" {
			got = append(got, line)
		}
	}
	want := []string{"begin:second"}
	for n := range 80 {
		want = append(want, fmt.Sprintf("line %d: some text that is longer than a narrow window has columns, so that it is wrapped; end %[1]d", n+1))
	}
	want = append(want, "end:second", "over", "$")
	if got = got[max(0, len(got)-len(want)):]; !slices.Equal(got, want) {
		t.Errorf("the scrollback is\n%s", strings.Join(got, "\n"))
	}
}

func TestScreenCtrlZ(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps)
	p.run("weft")
	p.see(`^0/3 · 2 running`)
	p.keys("C-z")
	stopped := p.see(`Stopped.*\n\$$`)
	if strings.Contains(stopped, "running") {
		t.Errorf("rows are left:\n%s", stopped)
	}
	p.run("fg")
	p.see(`^weft\n0/3 · 2 running`)
	p.let("first.go")
	p.let("second.go")
	p.see("^weft\n" + twice("end:first", "end:second") + "\n\\$$")
}

// TestScreenBackground: a job of a shell draws nothing while that has the terminal.
func TestScreenBackground(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps)
	p.run("weft &")
	p.see(`begin:first`)
	p.let("first.go")
	p.see(`end:first`)
	time.Sleep(engineTick)
	if got := p.shown(); strings.Contains(got, "running") {
		t.Errorf("there are rows:\n%s", got)
	}
	p.keys("fg", "Enter")
	p.see(`^1/3 · 1 running`)
	p.let("second.go")
	p.see(`end:second\n\$$`)
}

// TestScreenPassword: a program that prompts on the terminal has it for itself: output of others is
// shown after the answer, and the rows return.
func TestScreenPassword(t *testing.T) {
	for _, c := range []struct{ name, hide, show string }{
		{"unseen", "stty -echo </dev/tty", "stty echo </dev/tty; echo >/dev/tty"},
		{"seen", ":", ":"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPane(t, 80, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [first, second, ask]}
  first: sh step.sh first
  second: sh step.sh second
  ask: sh ask.sh
-- ask.sh --
while [ ! -e ask.go ]; do sleep 0.01; done
`+c.hide+`
printf 'Password: ' >/dev/tty
read x </dev/tty
`+c.show+`
echo got:$x
while [ ! -e end.go ]; do sleep 0.01; done
`)
			p.run("weft --events=events")
			p.see(`^ ask +\d+s$`)
			p.let("ask.go")
			p.see(`\nPassword:$`)
			p.let("first.go")
			p.recorded(`"step_settled",.*"task":"first"`)
			p.keys("word", "Enter")
			p.see(`^Password:( word)?\n` + twice("got:word", "end:first") + "$")
			p.let("second.go")
			p.see("end:first\n(got:word\n)?end:second$")
			p.let("end.go")
			p.see("end:second\n\\$$")
		})
	}
}

// recorded returns when the file events matches a pattern.
func (p *pane) recorded(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var got []byte
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got, _ = os.ReadFile(filepath.Join(p.dir, "events")); re.Match(got) {
			return
		}
	}
	p.t.Fatalf("no event matches %q in\n%s", pattern, got)
}

// TestScreenPager: a program that reads keys from its standard error has the terminal for
// itself, on a screen of its own if it wants one.
func TestScreenPager(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [first, page]}
  first: sh step.sh first
  page: sh page.sh
-- page.sh --
stty -icanon -echo <&2
printf '\033[?1049h\033[H\033[2Jpage one'
dd bs=1 count=1 <&2 2>/dev/null >/dev/null
printf '\033[H\033[2Jpage two'
dd bs=1 count=1 <&2 2>/dev/null >/dev/null
printf '\033[?1049l'
stty icanon echo <&2
echo end:page
`)
	p.run("weft")
	p.see(`\Apage one\z`)
	p.let("first.go")
	p.keys("x")
	p.see(`\Apage two\z`)
	p.keys("q")
	p.see(`^page one\n` + twice("end:first", "end:page") + `\n\$$`)
	p.run("stty -a")
	p.see(` icanon`)
	p.see(` echo `)
}

func TestScreenBars(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [first, pull]}
  first: sh step.sh first
  pull: sh pull.sh
-- pull.sh --
printf 'a: waiting\nb: waiting\n'
for n in 1 2 3; do
	printf "\033[2A\033[2Ka: $n\n\033[2Kb: $n\n"
	while [ ! -e $n.go ]; do sleep 0.01; done
done
`)
	p.run("weft")
	for n := 1; n <= 3; n++ {
		p.see(fmt.Sprintf(`^ pull +\d+s  b: %d\n   a: %d\n   b: %d$`, n, n, n))
		p.let(fmt.Sprint(n, ".go"))
	}
	p.see("^a: 3\nb: 3\n1/3 · 1 running")
	p.let("first.go")
	p.see("(?s)a: waiting\nb: waiting\n.*^a: 3\nb: 3\nend:first\n\\$$")
}

// TestScreenBytes: rows show the number of bytes written to a pipe and to a file.
func TestScreenBytes(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps+`-- Taskfile.yml --
version: '3'
silent: true
tasks:
  default: {deps: [use, save, first]}
  make: sh make.sh
  use: {stdin: {from: make}, cmd: wc -c}
  save: {cmd: sh make.sh, stdout: {file: out}}
  first: sh step.sh first
-- make.sh --
printf %020480d 0
while [ ! -e make.go ]; do sleep 0.01; done
printf %020480d 0
while [ ! -e end.go ]; do sleep 0.01; done
`)
	p.run("weft")
	p.see(`(?s) make +\d+s  20 KiB\n.* save +\d+s  20 KiB\n`)
	p.let("make.go")
	p.see(`(?s) make +\d+s  40 KiB  .* (KiB|B)/s\n.* save +\d+s  40 KiB  .* (KiB|B)/s\n`)
	p.see(`(?s) make +\d+s  40 KiB\n.* save +\d+s  40 KiB\n`)
	p.let("end.go")
	p.see(`^40960\n`)
	p.let("first.go")
	p.see(`^end:first\n\$$`)
}

// TestScreenKilled: no mode of the terminal remains changed.
func TestScreenKilled(t *testing.T) {
	p := newPane(t, 80, 24, twoSteps)
	p.run("stty -a >before; weft; stty -a >after; cmp before after && echo same")
	p.see(`^ second +\d+s  begin:second$`)
	if out, err := exec.Command("pkill", "-9", "-P", strings.TrimSpace(p.tmux("display-message", "-p", "#{pane_pid}")), "weft").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.see(`^ second +\d+s  begin:second\nKilled.*\n(.*\n)?same\n\$$`)
}
