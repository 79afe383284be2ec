//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// styles are the output styles that a run can be shown in.
var styles = [...]string{"interleaved", "group", "prefixed"}

// TestReplay runs the Taskfiles of the scripts and of the examples with --events, and compares the
// output of --replay with that of the run, byte for byte, also from the history; and the events of
// the replay with those of the run, which follow their schema.
func TestReplay(t *testing.T) {
	weft := buildWeft(t)
	var compared, recorded atomic.Int32
	scripts, _ := filepath.Glob("testdata/script/*.txtar")
	t.Run("scripts", func(t *testing.T) {
		for i, script := range scripts {
			name := strings.TrimSuffix(filepath.Base(script), ".txtar")
			if slices.ContainsFunc(notReplayed, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				archive, err := txtar.ParseFile(script)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				extract(t, archive, dir)
				for j, args := range runsIn(string(archive.Comment)) {
					compareReplay(t, weft, dir, styles[(i+j)%len(styles)], args, &compared, &recorded)
				}
			})
		}
	})
	if n, m := compared.Load(), recorded.Load(); n < 100 || m < 100 {
		t.Errorf("%d runs of scripts compared, %d out of the history", n, m)
	}
	examples, _ := os.ReadDir(examplesDir)
	for i, e := range examples {
		if !e.IsDir() || slices.ContainsFunc(exampleTools[e.Name()], func(tool string) bool { _, err := exec.LookPath(tool); return err != nil }) {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), e.Name())
			copyTree(t, filepath.Join(examplesDir, e.Name()), dir)
			compareReplay(t, weft, dir, styles[i%len(styles)], []string{"-v"}, &compared, &recorded)
		})
	}
}

func extract(t *testing.T, archive *txtar.Archive, dir string) {
	for _, f := range archive.Files {
		path := filepath.Join(dir, f.Name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// notReplayed are scripts that need several runs at the same time, and one whose task has the
// streams of weft for itself, so that its output cannot be recorded.
var notReplayed = []string{"watch", "signal", "remote", "job", "ps", "reap", "stop_run", "output_interactive"}

var runLine = regexp.MustCompile(`(?m)^(?:! )?(?:exec|exits \d+) (?:weft|task)( [^&$"]*)?$`)

// wholeLog matches where the log of a step is in the history, which a file of events does not know.
var wholeLog = regexp.MustCompile(`(?m)^  complete log, \d+ lines: weft --history=\d+ .*\n`)

// runsIn are the arguments of the runs of weft in a script that show what they run.
func runsIn(script string) (all [][]string) {
	for _, m := range runLine.FindAllStringSubmatch(script, 3) {
		var args []string
		for i, part := range strings.Split(m[1], "'") {
			if i%2 == 1 {
				args = append(args, part)
			} else {
				args = append(args, strings.Fields(part)...)
			}
		}
		if !slices.ContainsFunc(args, func(arg string) bool { return otherFlag.MatchString(arg) }) {
			all = append(all, args)
		}
	}
	return all
}

// otherFlag matches flags that run nothing, or choose style and events themselves.
var otherFlag = regexp.MustCompile(`^(-[a-zA-Z]*[lahiwojt]|--(list|summary|status|why|graph|check|init|ps|stop|reap|watch|detach|attach|tui|logs|wait|start|restart|send|version|help|events|output|completion|experiments|pin|clear|json|interactive|taskfile|color|history).*)$`)

// compareReplay compares a run with its replays, and counts them if it was recorded.
func compareReplay(t *testing.T, weft, dir, style string, args []string, compared, recorded *atomic.Int32) {
	t.Helper()
	events, again := filepath.Join(dir, "events.ndjson"), filepath.Join(dir, "again.ndjson")
	defer os.Remove(events)
	home := t.TempDir()
	run := func(more ...string) (stdout, stderr string, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(weft, "weft"), slices.Concat(more, []string{"-o", style}, args)...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=dumb", "LC_ALL=C", "USER=weft", "GOCACHE=" + goCache()}
		cmd.WaitDelay = time.Second
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	out, errs, _ := run("--record", "--events", events)
	if st, err := os.Stat(events); err != nil || st.Size() == 0 {
		return // there was nothing to run
	}
	compared.Add(1)
	gotOut, gotErrs, err := run("--replay", events, "--events", again)
	if err != nil {
		t.Errorf("%s -o %s %q: replay: %v\n%s", filepath.Base(dir), style, args, err, gotErrs)
	}
	if gotOut != out || gotErrs != wholeLog.ReplaceAllString(errs, "") {
		t.Errorf("%s -o %s %q:\nstdout %q\nreplay %q\nstderr %q\nreplay %q", filepath.Base(dir), style, args, out, gotOut, errs, gotErrs)
	}
	first, _ := os.ReadFile(events)
	if number := recordOf(t, dir, first); number != "" {
		recorded.Add(1)
		gotOut, gotErrs, err := run("--replay", number)
		if err != nil || gotOut != out || gotErrs != errs {
			t.Errorf("%s -o %s %q, run %s of the history: %v\nstdout %q\nreplay %q\nstderr %q\nreplay %q", filepath.Base(dir), style, args, number, err, out, gotOut, errs, gotErrs)
		}
	}
	keepsSchema(t, first)
	second, _ := os.ReadFile(again)
	if !bytes.Equal(first, second) {
		t.Errorf("%s -o %s %q: other events:\n%s\n%s", filepath.Base(dir), style, args, first, second)
	}
}

var runID = regexp.MustCompile(`"run":"[^"]*"`)

// recordOf returns the number by which the history of the project in dir has a run with these
// events, or "".
func recordOf(t *testing.T, dir string, events []byte) string {
	t.Helper()
	id := runID.Find(events)
	records, _ := filepath.Glob(filepath.Join(dir, ".weft", "runs", "*.ndjson"))
	for _, path := range records {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, id) {
			keepsSchema(t, text)
			return strings.TrimSuffix(filepath.Base(path), ".ndjson")
		}
	}
	return ""
}

// keepsSchema reports lines of an event file that violate its schema.
func keepsSchema(t *testing.T, file []byte) {
	t.Helper()
	schema, err := eventSchema()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(file) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

var eventSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile("../../schema/events.schema.json")
})

// goCache is the build cache of the go command, which an example uses.
var goCache = sync.OnceValue(func() string {
	dir, _ := exec.Command("go", "env", "GOCACHE").Output()
	return strings.TrimSpace(string(dir))
})
