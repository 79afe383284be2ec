//go:build unix

package shell

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/proc"
)

func TestMain(m *testing.M) {
	if script := os.Getenv("SHELL_TEST_SCRIPT"); script != "" {
		os.Exit(onTerminal(script))
	}
	goleak.VerifyTestMain(m)
}

func TestRun(t *testing.T) {
	r := newRig(t)
	r.write("noshebang", "echo \"plain $1 $A\"; exit 3\n", 0o755)
	r.write("binary", "ab\x00c\n", 0o755)
	r.write("badinterp", "#!/no/such\n", 0o755)
	r.write("notexec", "echo\n", 0o644)
	for _, tt := range []struct {
		text, out, err string
		code           int
	}{
		{"", "", "", 0},
		{"# only", "", "", 0},
		{"echo hi there", "hi there\n", "", 0},
		{"echo -n x", "x", "", 0},
		{"echo -e 'a\\tb'", "a\tb\n", "", 0},
		{"echo $A", "from env\n", "", 0},
		{"false; echo no", "", "", 1},
		{"exit 300", "", "", 44},
		{"sh -c 'kill -9 $$'", "", "", 137},
		{"sh -c 'exit 7' || echo or", "or\n", "", 0},
		{"nosuch a b", "", "\"nosuch\": executable file not found in $PATH\n", 127},
		{"./notexec", "", "./notexec: permission denied: it is not executable; chmod +x ./notexec\n", 126},
		{"./noshebang one", "plain one from env\n", "", 3},
		{"./noshebang one || echo $?", "plain one from env\n3\n", "", 0},
		{"./binary", "", "./binary: cannot execute binary file\n", 126},
		{"./badinterp || echo no", "no\n", "./badinterp: its interpreter is missing: no file \"/no/such\"\n", 0},
		{"echo $(sh -c 'echo one; echo two') $(echo three)", "one two three\n", "", 0},
		{"x=$(sh -c 'echo out; exit 4'); echo $x", "", "", 4},
		{"seq 3 | while read l; do echo \"<$l>\"; cat /dev/null; done", "<1>\n<2>\n<3>\n", "", 0},
		{"(echo a; sh -c 'echo b') | cat | cat", "a\nb\n", "", 0},
		{"cat <<E | tr a b\naaa\nE", "bbb\n", "", 0},
		{"sh -c 'echo e >&2' 2>&1 | cat", "e\n", "", 0},
		{"sh -c 'echo e >&2' |& cat", "e\n", "", 0},
		{"echo to > f; cat f; cat < f", "to\nto\n", "", 0},
		{"sh -c 'echo gone' >/dev/null; sh -c 'echo x' >&-; echo end", "end\n", "", 0},
		{"cat", "", "", 0},
		{"f() { echo \"f:$1\"; }; f x; echo() { printf 'mine\\n'; }; echo y", "f:x\nmine\n", "", 0},
		{"diff <(echo a) <(echo a) && echo same", "same\n", "", 0},
		{"nosuch <(echo a) || echo $?", "127\n", "\"nosuch\": executable file not found in $PATH\n", 0},
		{"sleep 0 & wait; echo waited", "waited\n", "", 0},
		{"sh -c 'exit 3' & wait $! || echo $?", "3\n", "", 0},
		{"sh -c 'exit 3' & echo $?; wait $!", "0\n", "", 3},
		{"for i in 1 2 3; do sh -c 'exit 2' & done; wait; echo over", "over\n", "", 0},
		{"nothing-of-this-name 2>/dev/null & wait $! || echo $?", "127\n", "", 0},
		{"f() { sh -c 'echo f' & wait; }; f; f", "f\nf\n", "", 0},
		{"sleep() { echo own; }; sleep & wait", "own\n", "", 0},
		{"{ set -x; sleep 0 & wait; } 2>&1 | grep -c weft || true", "0\n", "", 0},
		{"sleep 1000 & kill $!; wait $! || echo $?", "143\n", "", 0},
		{"(while :; do sleep 0.01; done) & kill -9 $!; wait; echo over", "over\n", "", 0},
		{"sleep 1000 & a=$!; sleep 0 & kill $a; wait; echo both", "both\n", "", 0},
		{"kill -0 g7 || echo none", "none\n", "kill: (g7) - no such process\n", 0},
		{"while :; do echo y; done | head -1", "y\n", "", 0},
		{"yes | head -1", "y\n", "", 0},
		{"trap 'echo bye $?' EXIT; echo hi; exit 5", "hi\nbye 5\n", "", 5},
		{"(trap 'echo inner' EXIT; echo sub)", "sub\n", "", 0},
		{"eval 'echo e | cat'; seq 2 | tail -1", "e\n2\n", "", 0},
		{"cd /; sh -c pwd; pwd", "/\n/\n", "", 0},
	} {
		got := r.run(&Script{Text: tt.text})
		if got.out != tt.out || got.err != tt.err || code(got.fail) != tt.code {
			t.Errorf("%s\ngot  out %q err %q: %v\nwant out %q err %q: %d", tt.text, got.out, got.err, got.fail, tt.out, tt.err, tt.code)
		}
	}
}

func TestErrors(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		sc   Script
		want string
	}{
		{Script{Text: "echo \"a"}, "1:6: reached EOF without closing quote `\"`"},
		{Script{Text: "if true"}, "1:1: `if <cond>` must be followed by `then`"},
		{Script{Text: "echo", Set: []string{"bogus"}}, `invalid option: "bogus"`},
		{Script{Text: "echo", Shopt: []string{"bogus"}}, `invalid option name: "bogus"`},
		{Script{Text: "echo", Shopt: []string{"extdebug"}}, `unsupported option: "extdebug"`},
		{Script{Text: "env", Dir: r.dir + "/gone"}, "chdir " + r.dir + "/gone: no such file or directory"},
	} {
		if got := r.run(&tt.sc); got.fail == nil || got.fail.Error() != tt.want || got.out != "" {
			t.Errorf("%s: got %v, %q; want %s", tt.sc.Text, got.fail, got.out, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		sc   Script
		out  string
		code int
	}{
		{Script{Text: "false | true"}, "", 0},
		{Script{Text: "false | true", Set: []string{"pipefail"}}, "", 1},
		{Script{Text: "echo $nope", Set: []string{"u"}}, "", 1},
		{Script{Text: "echo *.none", Shopt: []string{"nullglob"}}, "\n", 0},
		{Script{Text: "echo *.none"}, "*.none\n", 0},
	} {
		if got := r.run(&tt.sc); got.out != tt.out || code(got.fail) != tt.code {
			t.Errorf("%+v: got %q, %v", tt.sc, got.out, got.fail)
		}
	}
}

func TestOutput(t *testing.T) {
	r := newRig(t)
	for text, want := range map[string]string{
		"echo a b": "a b\n", "printf 'x\\n\\n'": "x\n\n", "seq 3": "1\n2\n3\n", ":": "",
		"head -c 300000 /dev/zero | tr '\\0' a": strings.Repeat("a", 300000),
		"sh -c 'sleep 1000 & echo fast'":        "fast\n", // an escaped holder does not delay it
		"echo $(sh -c 'sleep 1000 & echo sub')": "sub\n",
	} {
		g := r.table.NewGroup(proc.GroupOptions{})
		got, err := r.s.Output(t.Context(), &Script{Text: text, Dir: r.dir, Env: r.env, Group: g})
		if err != nil || got != want {
			t.Errorf("%s: got %.80q, %v", text, got, err)
		}
		g.Kill(errors.New("over"))
		g.Close()
	}
}

// TestStop: a script that is stopped stops, wherever it is.
func TestStop(t *testing.T) {
	const wait = "sh -c 'echo up; exec sleep 1000'"
	for _, tt := range []struct{ name, text, after string }{
		{"or", wait + " || echo OR; echo NEXT", ""},
		{"alone", wait, ""},
		{"substitution", "sh -c 'echo up'; x=$(sleep 1000); echo NEXT$x", ""},
		{"substitution as argument", "sh -c 'echo up'; echo NEXT $(sleep 1000)", ""},
		{"subshell", "(" + wait + " || echo OR; echo SUB) || echo OR; echo NEXT", ""},
		{"function", "f() { " + wait + "; echo IN; }; f || echo OR; echo NEXT", ""},
		{"loop", "while :; do " + wait + " || true; echo AGAIN; done; echo NEXT", ""},
		{"for", "for i in 1 2 3; do " + wait + " || echo OR; done; echo NEXT", ""},
		{"if", "if " + wait + "; then echo THEN; else echo ELSE; fi; echo NEXT", ""},
		{"not", "! " + wait + "; echo NEXT", ""},
		{"pipe", wait + " | cat; echo NEXT", ""},
		{"arithmetic loop", "echo up; while ((1)); do ((x+=1)); done", ""},
		{"builtin loop", "echo up; while :; do :; done", ""},
		{"redirection", wait + "; echo x > NEXT; cat NEXT", ""},
		{"handled", "sh -c 'trap \"exit 0\" INT; echo up; while :; do sleep 0.01; done'; echo NEXT", ""},
		{"trap", "trap 'echo bye $?; sh -c \"echo prog\"' EXIT; " + wait + "; echo NEXT", "bye 130\nprog\n"},
		{"background", "(" + wait + "; echo BG; sh -c 'echo BGPROG') & wait; echo NEXT", ""},
		{"wait", wait + " & wait; echo NEXT", ""},
		{"read", "echo up; read x < fifo; echo NEXT", ""},
		{"write", "echo up; echo x > fifo; echo NEXT", ""},
		{"no shebang", "./noshebang; echo NEXT", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.write("noshebang", wait+"; echo INNER\n", 0o755)
			if err := syscall.Mkfifo(filepath.Join(r.dir, "fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, done := r.start(&Script{Text: tt.text})
			if got := r.line(out); got != "up" {
				t.Fatalf("got %q", got)
			}
			cause := errors.New("interrupted")
			r.g.Stop(cause, proc.Ladder{Signal: syscall.SIGINT})
			rest, _ := io.ReadAll(out)
			o := <-done
			if string(rest) != tt.after || o.err != "" || o.fail != cause {
				t.Errorf("got %q, %q, %v", rest, o.err, o.fail)
			}
			if got := r.run(&Script{Text: "echo more"}); got.fail != cause || got.out != "" {
				t.Errorf("afterwards: %q, %v", got.out, got.fail)
			}
		})
	}
}

// TestNothingStartsAfterwards: background commands of a stopped script start nothing, not even
// while its EXIT trap runs programs.
func TestNothingStartsAfterwards(t *testing.T) {
	r := newRig(t)
	sc := &Script{Text: `trap 'cat go; echo trap' EXIT; (read x < bg; sh -c "echo LEFT") & sh -c 'echo up; exec sleep 1000'`}
	for _, name := range []string{"go", "bg"} {
		if err := syscall.Mkfifo(filepath.Join(r.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, done := r.start(sc)
	r.line(out)
	r.g.Stop(errors.New("interrupted"), proc.Ladder{Signal: syscall.SIGINT})
	f, err := os.OpenFile(filepath.Join(r.dir, "go"), os.O_WRONLY, 0) // the trap is running
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("went\n")
	f.Close()
	rest, _ := io.ReadAll(out)
	if o := <-done; string(rest) != "went\ntrap\n" || o.fail == nil {
		t.Errorf("got %q, %v", rest, o.fail)
	}
}

// TestTrapLimit: a trap that hangs is ended.
func TestTrapLimit(t *testing.T) {
	r := newRig(t)
	var c clock.Clock
	c.Pause()
	r.s = New(Options{Clock: &c})
	out, done := r.start(&Script{Text: `trap 'sh -c "echo in; exec sleep 1000"; echo NEXT' EXIT; sh -c 'echo up; exec sleep 1000'`})
	r.line(out)
	r.g.Stop(errors.New("x"), proc.Ladder{Signal: syscall.SIGINT})
	if got := r.line(out); got != "in" {
		t.Fatalf("got %q", got)
	}
	c.Advance(5 * time.Second)
	rest, _ := io.ReadAll(out)
	if <-done; len(rest) > 0 {
		t.Errorf("got %q", rest)
	}
}

// TestContext: an ended context stops the script, by the cause's own ladder.
func TestContext(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	or, ow, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer or.Close()
	done := make(chan error, 1)
	go func() {
		done <- r.s.Run(ctx, &Script{Text: `sh -c 'trap "echo got; exit" USR1; echo up; while :; do sleep 0.01; done'; echo NEXT`,
			Dir: r.dir, Env: r.env, Stdout: ow, Group: r.g})
		ow.Close()
	}()
	out := bufio.NewReader(or)
	r.line(out)
	cancel(usr1{})
	rest, _ := io.ReadAll(out)
	if err := <-done; err != error(usr1{}) || string(rest) != "got\n" {
		t.Errorf("got %v, %q", err, rest)
	}
}

type usr1 struct{}

func (usr1) Error() string           { return "usr1" }
func (usr1) StopLadder() proc.Ladder { return proc.Ladder{Signal: syscall.SIGUSR1} }

// TestReadIsCancelable: `read` from a pipe without data.
func TestReadIsCancelable(t *testing.T) {
	for _, text := range []string{"echo up; read x; echo NEXT", "cat /dev/null; echo up; sh -c :; read x; echo NEXT"} {
		r := newRig(t)
		in, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out, done := r.start(&Script{Text: text, Stdin: in})
		r.line(out)
		r.g.Stop(errors.New("x"), proc.Ladder{Signal: syscall.SIGINT})
		rest, _ := io.ReadAll(out)
		if <-done; len(rest) > 0 {
			t.Errorf("%s: got %q", text, rest)
		}
		in.Close()
		w.Close()
	}
}

// TestPipeEndsAreClosed: a reader that closes its end early ends the writer while it continues
// itself, and a writer that closes its end ends the reader.
func TestPipeEndsAreClosed(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{
		"sh -c 'yes; echo $? >&2; echo > fifo' | sh -c 'exec <&-; read x < fifo; echo went'",
		"sh -c 'exec >&-; read x < fifo; echo went >&2' | sh -c 'cat; echo > fifo'; echo went",
	} {
		if err := syscall.Mkfifo(filepath.Join(r.dir, "fifo"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := r.run(&Script{Text: text}); got.out != "went\n" {
			t.Errorf("%s: got %q, %q, %v", text, got.out, got.err, got.fail)
		}
		os.Remove(filepath.Join(r.dir, "fifo"))
	}
}

func TestEnviron(t *testing.T) {
	e := newEnviron([]string{"PATH=/bin:/usr/bin", "X=1", "X=2", "bad", "=y"})
	if v := e.Get("X"); v.Str != "2" || !v.Exported || !v.IsSet() {
		t.Errorf("X is %+v", v)
	}
	if e.Get("bad").IsSet() || e.Get("Y").IsSet() {
		t.Error("a name that is not there is set")
	}
	if _, err := interp.LookPathDir("/", e, "sh"); err != nil {
		t.Error(err)
	}
}
