package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unwritten is a directory in which weft runs with an output file that cannot be written.
type unwritten struct {
	*testing.T
	dir string
}

func newUnwritten(t *testing.T) *unwritten {
	u := &unwritten{t, t.TempDir()}
	text := "version: '3'\nsilent: true\ntasks:\n  good: {cmds: [echo hello]}\n  bad: {cmds: [echo hello, exit 3]}\n  much: {cmds: [echo hello, 'seq 400000 >&2']}\n"
	if err := os.WriteFile(filepath.Join(u.dir, "Taskfile.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return u
}

// sh runs a script, and returns weft's own lines of its standard error apart.
func (u *unwritten) sh(script string) (stdout string, messages []string, code int) {
	u.Helper()
	cmd := exec.CommandContext(u.Context(), "bash", "-c", script)
	cmd.Dir = u.dir
	cmd.Env = append(os.Environ(), "WEFT_HISTORY=0", "TMPDIR="+u.dir)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		u.Fatal(err)
	}
	for line := range strings.Lines(errs.String()) {
		if strings.HasPrefix(line, "weft: ") {
			messages = append(messages, strings.TrimSuffix(line, "\n"))
		}
	}
	return out.String(), messages, cmd.ProcessState.ExitCode()
}

// left returns the names of the files that a run has left, separated by spaces.
func (u *unwritten) left() string {
	u.Helper()
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		u.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); name != "Taskfile.yml" && name != ".weft" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// TestUnwritten: if a file about the run cannot be written, the run is the same, one line says which
// file, why, and what helps, and nothing incomplete has the file's name.
func TestUnwritten(t *testing.T) {
	const full, large = "no space left on device; make room on the disk", "file too large; raise the limit of the size of files (ulimit -f)"
	lost := func(why, fix string) string { return why + "; the events after that are lost" + fix }
	for _, c := range []struct {
		name, script, task string
		want               string // the message
		left               string // the file that is there in the end
	}{
		{"events, full disk", "weft --events /dev/full TASK", "good", "--events /dev/full: write /dev/full: " + lost("no space left on device", "; make room on the disk"), ""},
		{"events of a failure", "weft --events /dev/full TASK", "bad", "--events /dev/full: write /dev/full: " + lost("no space left on device", "; make room on the disk"), ""},
		{"events, limit of size", "ulimit -f 0; weft --events x TASK", "good", "--events x: write x: " + lost("file too large", "; raise the limit of the size of files (ulimit -f)"), "x"},
		{"events, no reader any more", "exec 3> >(exec true); wait $!; weft --events fd:3 TASK", "bad", "--events fd:3: write fd:3: " + lost("broken pipe", "; its reader ended before the run did"), ""},
		{"junit, full disk", "weft --report junit=/dev/full TASK", "bad", "--report junit=/dev/full: write /dev/full: " + full, ""},
		{"junit, limit of size", "ulimit -f 0; weft --report junit=x TASK", "good", "--report junit=x: write x: " + large, ""},
		{"trace, limit of size", "ulimit -f 0; weft --report trace=x TASK", "bad", "--report trace=x: write x: " + large, ""},
		{"page, limit of size", "ulimit -f 0; weft --report html=x TASK", "good", "--report html=x: write x: " + large, ""},
		{"summary, limit of size", "ulimit -f 0; weft --report markdown=x TASK", "good", "--report markdown=x: write x: " + large, ""},
		{"logs, limit of size", "ulimit -f 0; weft --report junit=x TASK", "much", "--report junit=x: the output of the run could not be kept in DIR: write temporary: " + large, ""},
		{"no reader of a named pipe", "mkfifo x; weft --report junit=x TASK; c=$?; rm x; exit $c", "good", "--report junit=x: nothing reads this named pipe; start its reader before the run ends", ""},
		{"a file as a directory", "weft --report trace=Taskfile.yml/x TASK", "bad", "--report trace=Taskfile.yml/x: mkdir Taskfile.yml: not a directory; name a file that can be written", ""},
		{"a link to nowhere", "ln -s no/where x; weft --report junit=x TASK; c=$?; test -L x && grep -q '</testsuites>' no/where && rm -r x no; exit $c", "good", "", ""},
		{"a second replay", "weft --events x TASK && weft --replay x --report junit=/dev/full", "good", "--report junit=/dev/full: write /dev/full: " + full, "x"},
		{"replayed events", "weft --events x TASK && weft --replay x --events /dev/full", "good", "--events /dev/full: write /dev/full: " + lost("no space left on device", "; make room on the disk"), "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUnwritten(t)
			out, messages, code := u.sh(strings.ReplaceAll(c.script, "TASK", c.task))
			want, wantCode := strings.ReplaceAll("weft: "+c.want, "DIR", u.dir), exitOther
			if c.want == "" {
				want, wantCode = "", 0
			}
			var about []string
			for _, m := range messages {
				if strings.HasPrefix(m, "weft: --") {
					about = append(about, m)
				}
			}
			if c.task == "bad" {
				wantCode = exitTask
				if last := messages[len(messages)-1]; last != `weft: Failed to run task "bad": exit status 3` {
					t.Errorf("the last message is %q", last)
				}
			} else if len(messages) != len(about) {
				t.Errorf("messages %q", messages)
			}
			if !strings.HasPrefix(out, "hello\n") || code != wantCode || strings.Join(about, "\n") != want {
				t.Errorf("exit code %d, want %d; wrote %.100q\ngot  %q\nwant %q", code, wantCode, out, about, want)
			}
			if left := u.left(); left != c.left {
				t.Errorf("left: %q, want %q", left, c.left)
			}
		})
	}
}

// TestUnread: nobody reads a named pipe, which is an error before the run; a reader that opens it
// gets all events.
func TestUnread(t *testing.T) {
	t.Parallel()
	u := newUnwritten(t)
	out, messages, code := u.sh("mkfifo x; weft --events x good")
	if want := "weft: --events: nothing reads the named pipe x; start its reader first"; out != "" || code != 1 || len(messages) != 1 || messages[0] != want {
		t.Errorf("exit code %d, %q, %q", code, out, messages)
	}
	out, messages, code = u.sh("cat x >y & weft --events x good; c=$?; wait; tail -n 1 y | cut -c 1-23; exit $c")
	if out != "hello\n{\"event\":\"run_finished\"\n" || code != 0 || messages != nil {
		t.Errorf("with a reader: exit code %d, %q, %q", code, out, messages)
	}
	for _, c := range [][2]string{
		{"mkdir d; weft --events d good", "weft: --events: d is a directory; write d/FILE"},
		{"weft --events Taskfile.yml/x good", "weft: --events: mkdir Taskfile.yml: not a directory; name a file that can be written"},
	} {
		if out, messages, code := u.sh(c[0]); out != "" || code != 1 || len(messages) != 1 || messages[0] != c[1] {
			t.Errorf("%s: exit code %d, %q, %q", c[0], code, out, messages)
		}
	}
	// The reader of the events alone is that of the output: without it the run stops.
	out, _, code = u.sh("weft --events - much | head -n 1 | cut -c 1-22; exit ${PIPESTATUS[0]}")
	if out != "{\"event\":\"run_started\"\n" || code != 141 {
		t.Errorf("events alone: exit code %d, %q", code, out)
	}
}

// TestUnwrittenFault: an error at any call that makes a file of a run leaves the run as it is, and
// no incomplete file.
func TestUnwrittenFault(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("there is no strace here: ", err)
	}
	t.Parallel()
	u := newUnwritten(t)
	if _, messages, code := u.sh("strace -f -qq -o /dev/null -e trace=linkat true"); code != 0 {
		t.Skip("strace does not work here: ", code, messages)
	}
	for _, c := range [][3]string{
		{"write", "EIO", "--events x"}, {"write", "ENOSPC", "--events x"}, {"write", "EDQUOT", "--events x"},
		{"linkat", "EMFILE", "--report junit=x"}, {"linkat", "EIO", "--report html=x"}, {"linkat", "ENOSPC", "--report trace=x"},
	} {
		os.Remove(filepath.Join(u.dir, "x"))
		out, messages, code := u.sh(fmt.Sprintf("strace -f -qq -o /dev/null -P x -P $PWD/x -P $PWD -e trace=%s -e inject=%[1]s:error=%s weft %s good", c[0], c[1], c[2]))
		if out != "hello\n" || code != 1 || len(messages) != 1 || !strings.HasPrefix(messages[0], "weft: "+c[2]+": ") {
			t.Errorf("%q: exit code %d, %q, %q", c, code, out, messages)
		}
		if left := u.left(); c[0] == "linkat" && left != "" {
			t.Errorf("%q: left %q", c, left)
		}
	}
}

// TestUnwrittenDescriptors: with any limit of open files a run either tells that it cannot start, or it
// succeeds, and its report is whole or absent with one line that says why.
func TestUnwrittenDescriptors(t *testing.T) {
	t.Parallel()
	u := newUnwritten(t)
	whole := 0
	for limit := 4; whole < 3 && limit < 64; limit++ {
		report := filepath.Join(u.dir, "x")
		out, messages, code := u.sh(fmt.Sprintf("ulimit -n %d; exec weft --report junit=x good", limit))
		text, err := os.ReadFile(report)
		switch {
		case err == nil && code == 0:
			whole++
			if out != "hello\n" || len(messages) > 0 || !strings.HasSuffix(string(text), "</testsuites>\n") {
				t.Errorf("%d files: %q, %q, %q", limit, out, messages, text)
			}
		case err == nil && !strings.HasSuffix(string(text), "</testsuites>\n"):
			t.Errorf("%d files: the report is incomplete: %q", limit, text)
		case code == 0:
			t.Errorf("%d files: there is no report: %q, %q", limit, out, messages)
		}
		os.Remove(report)
		if left := u.left(); left != "" {
			t.Errorf("%d files: left %q", limit, left)
		}
	}
	if whole == 0 {
		t.Error("no limit was enough")
	}
}
