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
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// An exchange is one command of a transcript and its expected output.
//
// A transcript is text as a terminal shows it: a line that begins with "$ " is a command for sh, the
// lines after it are its output, and a last line "[exit N]" is its exit code if that is not 0; "…"
// matches any text. "$ # …" is a comment. A command that ends in "# weft only" is not run with the
// reference. Text that depends on the clock is not compared (see timeless).
type exchange struct {
	line     int // of the command, counted from 1
	command  string
	want     string
	weftOnly bool
}

// parseTranscript parses a transcript. Its first line is line first of its file.
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

// A session runs transcripts in a directory, with a program called weft on PATH.
type session struct {
	dir       string // working directory of every command
	bin       string // directory that holds the program, named weft
	reference bool   // the program is the reference
	stderr    bool   // stderr is part of the answer
	env       []string
}

// run runs the commands of the exchanges in order, and reports each output that differs.
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
		if got, want := timeless(got), timeless(x.want); !matches(want, got) {
			t.Errorf("%s:%d: $ %s\ngot:\n%s\nwant:\n%s\nstderr:\n%s", file, x.line, x.command, got, want, log)
		}
	}
}

// ends waits until no background process has a working directory in the directory of s, so that it
// can be removed. It can do that only on Linux.
func (s *session) ends(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); runtime.GOOS == "linux"; time.Sleep(2 * time.Millisecond) {
		left := ""
		processes, _ := filepath.Glob("/proc/[0-9]*")
		for _, process := range processes {
			if dir, err := os.Readlink(process + "/cwd"); err == nil && (dir == s.dir || strings.HasPrefix(dir, s.dir+"/")) {
				text, _ := os.ReadFile(process + "/cmdline")
				left += "\n" + strings.ReplaceAll(string(text), "\x00", " ")
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("still running in %s:%s", s.dir, left)
			return
		}
	}
}

// matches reports whether got equals want, where each "…" of want matches any text.
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

// clock matches times in a transcript, with the spaces that align them.
var clock = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(` (in|after) (\d+(\.\d+)?m?s|\d+m\d*s?)\b`), ""}, // shown only for long durations
	{regexp.MustCompile(`\b(\d+(\.\d+)?m?s|\d+m\d*s?)\b`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d\.\d\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b(today \d\d:\d\d|yesterday)( \d\d:\d\d)?`), "DAY"},
	{regexp.MustCompile(`  +`), "  "},
}

// timeless returns text without the parts that depend on the clock.
func timeless(text string) string {
	for _, c := range clock {
		text = c.is.ReplaceAllString(text, c.as)
	}
	return text
}

// answer runs one command. It returns its output as a transcript shows it, and its stderr if that is
// not part of the transcript.
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

// environ returns a minimal environment: variables of the machine must not affect Taskfiles.
func (s *session) environ() []string {
	env := []string{
		"PATH=" + s.bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"PWD=" + s.dir,
		"LC_ALL=C",
		"NO_COLOR=1",
		"TERM=dumb",
		"WEFT_CACHE_DIR=" + filepath.Join(filepath.Dir(s.dir), "cache"),
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
	return append(env, s.env...)
}

// programs is the directory of programs that several tests use.
var programs string

// buildOnce returns a function that builds packages into a directory at the first call, and returns
// the directory.
func buildOnce(packages ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp(programs, "")
		if err != nil {
			return "", err
		}
		cmd := exec.Command("go", append([]string{"build", "-o", dir + "/"}, packages...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %v\n%s", err, out)
		}
		return dir, os.Symlink("weft", filepath.Join(dir, "task"))
	})
}

var (
	buildWeftAlone = buildOnce("github.com/weftrun/weft/cmd/weft")
	buildBoth      = buildOnce("github.com/weftrun/weft/cmd/weft", "github.com/weftrun/weft/cmd/weft-companion")
)

// buildWeft returns a directory in which weft has been built.
func buildWeft(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds weft; skipped with -short")
	}
	dir, err := buildWeftAlone()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// linkReference returns a directory in which the reference is called weft, or "" if WEFT_REFERENCE is
// not set.
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

// copyTree copies the files of an example, except the state of earlier runs.
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
