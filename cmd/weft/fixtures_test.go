//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// fixtureDifferences are the intended differences between the reference and this
// program in the reference's own fixtures, each by a pattern of "FILE: ARGUMENTS".
var fixtureDifferences = []struct{ of, reason string }{
	{`^cyclic/`, "a cycle is shown as a path, not by a call too many"},
	{`^dir/dynamic_var/Taskfile.yml: (default|from-interpolated-dir)$`, "a dynamic variable is remembered by its directory, too"},
	{`^dotenv/parse_error/`, "an error of a dotenv file does not show the file"},
	{`: loop-matrix-ref-error$`, "texts of undecodable files are weft's own"},
	{`^includes_incorrect/|^includes_missing_taskfile/`, "texts of undecodable files are weft's own"},
	{`^included_taskfile_var_merging/Taskfile.yaml: --summary stub$`, "the reference merges siblings in random order"},
	{`^interactive_vars/Taskfile.yml: full-deploy$`, "all missing variables are told at once"},
	{`^failfast/`, "which of the commands that run at once begins before one fails is left to chance"},
	{`^run_once_shared_deps/`, "which of two names a shared task is run by is left to chance"},
}

// skippedFixtures run until they are stopped.
var skippedFixtures = regexp.MustCompile(`watch`)

// times are points in time, which differ from run to run.
var times = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+|'?\b1[78]\d{8}\b`)

// TestReferenceFixtures runs the fixtures of the reference, as its module has
// them, through it and through this program under the name "task". Every task of
// every file is listed and run; with WEFT_FIXTURES=1 it is summarised, too.
// Lines are compared without their order, since commands run at once.
func TestReferenceFixtures(t *testing.T) {
	reference := os.Getenv("WEFT_REFERENCE")
	if reference == "" {
		t.Skip("WEFT_REFERENCE does not name a go-task 3.54.0 binary: nothing to compare with")
	}
	if testing.Short() {
		t.Skip("builds the program; skipped with -short")
	}
	out, err := exec.Command("go", "mod", "download", "-json", "github.com/go-task/task/v3@v3.54.0").Output()
	var module struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil {
		t.Skipf("the reference's module cannot be had: %v", err)
	}
	root := filepath.Join(module.Dir, "testdata")
	bins := t.TempDir()
	refBin, selfBin := linkTask(t, bins, "reference", reference), linkTask(t, bins, "self", filepath.Join(buildWeft(t), "weft"))
	taskfile := regexp.MustCompile(`(?i)^taskfile.*\.ya?ml$`)
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !taskfile.MatchString(d.Name()) {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		top, sub, nested := strings.Cut(rel, "/")
		if !nested {
			return nil
		}
		files++
		t.Run(rel, func(t *testing.T) {
			t.Parallel()
			f := &fixture{t: t, rel: rel, dir: filepath.Join(root, top), file: sub, bins: [2]string{refBin, selfBin}}
			f.compare("--list-all")
			for _, task := range f.tasks(f.compare("--list-all", "--json", "--no-status")) {
				f.compare(task)
				if os.Getenv("WEFT_FIXTURES") != "" {
					f.compare("--summary", task)
				}
			}
		})
		return nil
	})
	if err != nil || files < 150 {
		t.Fatalf("%d files in %s: %v", files, root, err)
	}
}

// fixture is one Taskfile of the reference's fixtures.
type fixture struct {
	t         *testing.T
	rel       string
	dir, file string    // what is copied, and the Taskfile in it
	bins      [2]string // directories of the two programs
}

// result is the result of a program.
type result struct {
	exit           int
	stdout, stderr []string // lines, sorted
	files          []string
}

// mostTasks bounds the tasks of one file that are run.
const mostTasks = 30

// tasks returns the names of the tasks, from what the reference has listed; nil: it has not.
func (f *fixture) tasks(r *ran) []string {
	var list struct{ Tasks []struct{ Task string } }
	if r == nil {
		r = f.run(f.bins[0], "--list-all", "--json", "--no-status")
	}
	if err := json.Unmarshal([]byte(r.raw), &list); err != nil {
		return nil // a file that is meant to be wrong
	}
	var names []string
	for _, task := range list.Tasks {
		if !strings.Contains(task.Task, "*") && len(names) < mostTasks {
			names = append(names, task.Task)
		}
	}
	return names
}

// compare compares a run of the two programs, and returns that of the reference; nil if they are
// meant to differ.
func (f *fixture) compare(args ...string) *ran {
	f.t.Helper()
	id := f.rel + ": " + strings.Join(args, " ")
	if skippedFixtures.MatchString(id) {
		return nil
	}
	for _, d := range fixtureDifferences {
		if regexp.MustCompile(d.of).MatchString(id) {
			return nil
		}
	}
	want, got := f.run(f.bins[0], args...), f.run(f.bins[1], args...)
	for again := 0; ; again++ {
		diff := differences(want, got)
		if diff == "" {
			break
		}
		if again == 2 {
			f.t.Errorf("%s\n%s", id, diff)
			break
		}
		want = f.run(f.bins[0], args...) // the reference mixes lines that are written at once, by chance
	}
	return want
}

// differences returns the unintended differences of a run, or "".
func differences(want, got *ran) string {
	var b strings.Builder
	if want.ended != got.ended {
		fmt.Fprintf(&b, "ended: reference %t, weft %t\n", want.ended, got.ended)
	}
	if !want.ended || !got.ended {
		return b.String()
	}
	if want.exit != got.exit {
		fmt.Fprintf(&b, "exit status %d, want %d\n", got.exit, want.exit)
	}
	for _, c := range []struct {
		what      string
		want, got []string
	}{{"stdout", want.stdout, got.stdout}, {"stderr", want.stderr, got.stderr}, {"files", want.files, got.files}} {
		if !slices.Equal(c.want, c.got) {
			fmt.Fprintf(&b, "%s:\n", c.what)
			for _, line := range missingFrom(c.got, c.want) {
				fmt.Fprintf(&b, "  - %.200q\n", line)
			}
			for _, line := range missingFrom(c.want, c.got) {
				fmt.Fprintf(&b, "  + %.200q\n", line)
			}
		}
	}
	return b.String()
}

// missingFrom returns the lines of b that are not in a.
func missingFrom(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(b), func(s string) bool { return slices.Contains(a, s) })
}

type ran struct {
	result
	raw   string // standard output
	ended bool   // in time
}

func (f *fixture) run(bin string, args ...string) *ran {
	f.t.Helper()
	tmp := f.t.TempDir()
	dir := filepath.Join(tmp, "x")
	if out, err := exec.Command("sh", "-c", `cp -R "$1" "$2" && chmod -R u+w "$2"`, "sh", f.dir, dir).CombinedOutput(); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "task"), append([]string{"-t", f.file}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + tmp, "NO_COLOR=1", "GOFLAGS=-mod=mod"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatalf("%v", err)
	}
	r := &ran{raw: stdout.String(), ended: ctx.Err() == nil}
	r.exit = cmd.ProcessState.ExitCode()
	lines := func(s string) []string {
		all := strings.Split(times.ReplaceAllString(strings.ReplaceAll(s, tmp, "TMP"), "TIME"), "\n")
		all = slices.DeleteFunc(all, func(line string) bool {
			return line == "" || strings.HasPrefix(line, "warning: ") // which the reference has none of
		})
		slices.Sort(all)
		return all
	}
	r.stdout, r.stderr = lines(stdout.String()), lines(stderr.String())
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".task" || d.Name() == ".weft") {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			r.files = append(r.files, rel)
		}
		return nil
	})
	return r
}
