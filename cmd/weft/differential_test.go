//go:build unix

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
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestDifferential runs every archive of testdata/differential through the
// reference, named by WEFT_REFERENCE, and through this program under the name
// "task", each in a fresh copy of the archive's files. Standard output, standard
// error, exit status and the files left behind must be equal.
//
// An archive's comment is a script. "$ LINE" is run by sh with "task" in the
// PATH, "env NAME=VALUE" holds for the lines after it, "#" starts a comment. A
// line "~ FIELD: REASON" after a command names an intended difference in stdout,
// stderr, exit or files; a difference that no longer exists fails the test. "~
// unordered: REASON" compares the sorted lines of both outputs.
//
// WEFT_SCRIPT_BIN replaces this program: with the reference there too, the test
// proves the archives deterministic, and intended differences are not required.
func TestDifferential(t *testing.T) {
	reference := os.Getenv("WEFT_REFERENCE")
	if reference == "" {
		t.Skip("WEFT_REFERENCE does not name a go-task 3.54.0 binary: nothing to compare with")
	}
	self, standIn := os.Getenv("WEFT_SCRIPT_BIN"), true
	if self == "" {
		var err error
		if self, err = exec.LookPath("task"); err != nil {
			t.Fatal(err)
		}
		standIn = false
	}
	bins := t.TempDir()
	refBin, selfBin := linkTask(t, bins, "reference", reference), linkTask(t, bins, "self", self)

	archives, err := filepath.Glob("testdata/differential/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c, err := readCase(path)
			if err != nil {
				t.Fatal(err)
			}
			want, got := c.run(t, refBin), c.run(t, selfBin)
			c.compare(t, want, got, standIn)
		})
	}
}

// linkTask makes a directory in which "task" is the binary named.
func linkTask(t *testing.T, dir, name, binary string) string {
	bin := filepath.Join(dir, name)
	if err := os.Mkdir(bin, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "task")); err != nil {
		t.Fatal(err)
	}
	return bin
}

// diffCase is one archive.
type diffCase struct {
	files    []txtar.File
	commands []diffCommand
}

// diffCommand is one "$" line with what was declared for it.
type diffCommand struct {
	line      string
	env       []string
	differs   map[string]string // field → reason
	unordered bool
}

func readCase(path string) (*diffCase, error) {
	a, err := txtar.ParseFile(path)
	if err != nil {
		return nil, err
	}
	c := &diffCase{files: a.Files}
	var env []string
	for line := range strings.Lines(string(a.Comment)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "env "):
			env = append(slices.Clip(env), line[len("env "):])
		case strings.HasPrefix(line, "$ "):
			c.commands = append(c.commands, diffCommand{line: line[2:], env: env, differs: map[string]string{}})
		case strings.HasPrefix(line, "~ ") && len(c.commands) > 0:
			field, reason, ok := strings.Cut(line[2:], ": ")
			if !ok || !slices.Contains([]string{"stdout", "stderr", "exit", "files", "unordered"}, field) {
				return nil, fmt.Errorf("%s: bad declaration %q", path, line)
			}
			last := &c.commands[len(c.commands)-1]
			if field == "unordered" {
				last.unordered = true
			} else {
				last.differs[field] = reason
			}
		default:
			return nil, fmt.Errorf("%s: what is %q?", path, line)
		}
	}
	if len(c.commands) == 0 {
		return nil, fmt.Errorf("%s: no commands", path)
	}
	return c, nil
}

// run executes the case with the "task" in bin and returns, per command, the
// fields that are compared.
func (c *diffCase) run(t *testing.T, bin string) []map[string]string {
	root := t.TempDir()
	work := filepath.Join(root, "work")
	if err := os.Mkdir(work, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.files {
		path := filepath.Join(work, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o666)
		if bytes.HasPrefix(f.Data, []byte("#!")) {
			mode = 0o777
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			t.Fatal(err)
		}
	}
	var all []map[string]string
	for _, cmd := range c.commands {
		all = append(all, cmd.run(t, root, work, bin))
	}
	return all
}

func (d *diffCommand) run(t *testing.T, root, work, bin string) map[string]string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", d.line)
	cmd.Dir = work
	cmd.Env = append([]string{
		"PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + filepath.Join(root, "home"),
		"TERM=dumb", "NO_COLOR=1", "LC_ALL=C", "TZ=UTC", "USER=weft",
	}, d.env...)
	// A command that hangs must not outlive the test, nor may its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Errorf("$ %s\n\tdid not end within %v", d.line, patience)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	field := func(s string) string {
		s = sourceLine().ReplaceAllStringFunc(s, func(line string) string {
			return escape().ReplaceAllString(line, "")
		})
		s = strings.ReplaceAll(strings.ReplaceAll(s, work, "$WORK"), root, "$ROOT")
		if d.unordered {
			s = sortedLines(s)
		}
		return s
	}
	return map[string]string{
		"stdout": field(stdout.String()),
		"stderr": field(stderr.String()),
		"exit":   fmt.Sprint(cmd.ProcessState.ExitCode()),
		"files":  strings.ReplaceAll(tree(t, work), work, "$WORK"),
	}
}

// sourceLine matches a line of source in a decode error, which the reference
// highlights even under NO_COLOR; escape matches one colour in it.
var (
	sourceLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^[> ] +[0-9]+ \| .*$`) })
	escape     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[0-9;]*m") })
)

// tree renders the files below dir, apart from the state both programs keep.
func tree(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == ".task" || e.Name() == ".weft") {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%s %s\n", info.Mode(), rel)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "\t%q\n", data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (c *diffCase) compare(t *testing.T, want, got []map[string]string, standIn bool) {
	for i, cmd := range c.commands {
		for _, field := range []string{"exit", "stdout", "stderr", "files"} {
			w, g := want[i][field], got[i][field]
			reason, declared := cmd.differs[field]
			switch {
			case declared && w == g && !standIn:
				t.Errorf("$ %s\n\t%s does not differ any more (%s)", cmd.line, field, reason)
			case !declared && w != g:
				t.Errorf("$ %s\n--- %s, reference\n%s--- %s, weft\n%s", cmd.line, field, line(w), field, line(g))
			}
		}
	}
}

// line ends s with a newline.
func line(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
