package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An exchange is one command of a transcript and what it must answer.
//
// A transcript is text as a terminal would show it: a line that begins with
// "$ " is a command for sh, the lines after it are its output, and a last line
// "[exit N]" is its exit code when that is not 0; "…" stands for any text.
// "$ # …" is a comment. A command that ends in "# weft only" is not tried on the
// reference.
type exchange struct {
	line     int // of the command, counted from 1
	command  string
	want     string
	weftOnly bool
}

// parseTranscript reads a transcript whose first line is line first of its file.
func parseTranscript(text string, first int) ([]exchange, error) {
	var list []exchange
	comment := false
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case isCommand && strings.HasPrefix(command, "#"):
			comment = true
		case isCommand:
			comment = false
			list = append(list, exchange{line: first + i, command: command, weftOnly: strings.HasSuffix(command, "# weft only")})
		case comment || len(list) == 0:
			return nil, fmt.Errorf("line %d: output without a command: %q", first+i, line)
		default:
			list[len(list)-1].want += line + "\n"
		}
	}
	return list, nil
}

// A session is where transcripts run: a directory, and a program called weft
// on PATH.
type session struct {
	dir       string // working directory of every command
	bin       string // directory that holds the program, named weft
	reference bool   // the program is the reference
	stderr    bool   // stderr is part of the answer
}

// run plays the exchanges in order and reports every one that went otherwise.
func (s *session) run(t *testing.T, file string, list []exchange) {
	t.Helper()
	for _, x := range list {
		if s.reference && x.weftOnly {
			continue
		}
		got, log, err := s.answer(x.command)
		if err != nil {
			t.Fatalf("%s:%d: $ %s: %v\n%s", file, x.line, x.command, err, log)
		}
		if !matches(x.want, got) {
			t.Errorf("%s:%d: $ %s\ngot:\n%s\nwant:\n%s\nstderr:\n%s", file, x.line, x.command, got, x.want, log)
		}
	}
}

// matches reports whether got is want, where each "…" of want stands for any
// text.
func matches(want, got string) bool {
	first, rest, open := strings.Cut(want, "…")
	if !open {
		return got == want
	}
	got, ok := strings.CutPrefix(got, first)
	parts := strings.Split(rest, "…")
	for _, part := range parts[:len(parts)-1] {
		if !ok {
			return false
		}
		_, got, ok = strings.Cut(got, part)
	}
	return ok && strings.HasSuffix(got, parts[len(parts)-1])
}

// answer runs one command and returns what a transcript would show of it, and
// its stderr where that is not part of it.
func (s *session) answer(command string) (got, log string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = s.dir
	cmd.Env = s.environ()
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if s.stderr {
		cmd.Stderr = &stdout // the same writer: one pipe, so the order holds
	}
	err = cmd.Run()
	got = stdout.String()
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	if s.reference {
		// Messages begin with the program's name.
		got = strings.ReplaceAll(got, "task: ", "weft: ")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return got + fmt.Sprintf("[exit %d]\n", exit.ExitCode()), stderr.String(), nil
	}
	return got, stderr.String(), err
}

// environ is a small environment: a variable of the machine must not change
// what a Taskfile does.
func (s *session) environ() []string {
	env := []string{
		"PATH=" + s.bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"PWD=" + s.dir,
		"LC_ALL=C",
		"NO_COLOR=1",
		"TERM=dumb",
		"GIT_CEILING_DIRECTORIES=" + filepath.Dir(s.dir),
	}
	for _, name := range []string{
		"HOME", "TMPDIR", "USER", "XDG_CACHE_HOME",
		"GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOTOOLCHAIN",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// buildWeft builds weft into a new directory and returns that directory.
func buildWeft(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds weft; skipped with -short")
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "weft"), "github.com/weftrun/weft/cmd/weft")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// linkReference returns a directory in which the reference is called weft, or
// "" when WEFT_REFERENCE names none.
func linkReference(t *testing.T) string {
	t.Helper()
	reference := os.Getenv("WEFT_REFERENCE")
	if reference == "" {
		return ""
	}
	dir := t.TempDir()
	if err := os.Symlink(reference, filepath.Join(dir, "weft")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyTree copies the files of an example, without the state of earlier runs.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && isBuilt(d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
