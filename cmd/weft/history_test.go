//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// historyProject returns a directory with a Taskfile, and a function that runs weft there with a
// history. Weft's exit code is not checked.
func historyProject(t *testing.T, taskfile string) (dir string, weft func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, func(args ...string) string {
		t.Helper()
		cmd := exec.Command("weft", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WEFT_HISTORY=")
		out, err := cmd.Output()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatal(err)
		}
		return string(out)
	}
}

// TestHistorySchemas: answers about the history as JSON follow the schemas, which reject other
// documents.
func TestHistorySchemas(t *testing.T) {
	_, weft := historyProject(t, `
version: '3'
tasks:
  ci: {deps: [one, two], cmds: ['exit 3']}
  one: 'test ! -e once'
  two: {cmds: [{cmd: 'test -e once || { touch once; exit 1; }', retry: {max: 1, delay: 1ms}}]}
`)
	weft("-p", "ci")
	weft("-p", "ci")
	for _, test := range []struct {
		schema string
		args   []string
		wrong  string // a field of the document that must be there
	}{
		{"history", []string{"--history"}, "runs"},
		{"history", []string{"--history=slowest"}, "slowest"},
		{"history", []string{"--history=flaky"}, "flaky"},
		{"run", []string{"--history=1"}, "critical_path"},
		{"run", []string{"--history=last"}, "counts"},
		{"diff", []string{"--history=diff"}, "slower"},
	} {
		schema, err := jsonschema.NewCompiler().Compile("../../schema/" + test.schema + ".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		text := weft(append(test.args, "--json")...)
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err == nil {
			err = schema.Validate(document)
		}
		if err != nil {
			t.Errorf("%q: %v\n%s", test.args, err, text)
			continue
		}
		if !bytes.HasPrefix([]byte(text), []byte("{\n  \"version\": 1,\n")) {
			t.Errorf("%q: %.100s", test.args, text)
		}
		for _, spoil := range []func(map[string]any){
			func(m map[string]any) { delete(m, test.wrong) },
			func(m map[string]any) { m[test.wrong] = "text" },
			func(m map[string]any) { m["version"] = json.Number("2") },
		} {
			document, _ := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
			spoil(document.(map[string]any))
			if schema.Validate(document) == nil {
				t.Errorf("%q: the schema takes %v", test.args, document)
			}
		}
	}
}

// TestHistoryAtOnce: concurrent runs are all recorded, each under its own number.
func TestHistoryAtOnce(t *testing.T) {
	_, weft := historyProject(t, "version: '3'\ntasks:\n  default: 'true'\n")
	const runs = 20
	var wait sync.WaitGroup
	for range runs {
		wait.Go(func() { weft("-s") })
	}
	wait.Wait()
	var list struct {
		Runs []struct {
			Number int
			Result string
		}
	}
	if err := json.Unmarshal([]byte(weft("--history", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Runs) != runs {
		t.Fatalf("%d runs are recorded", len(list.Runs))
	}
	for i, r := range list.Runs {
		if r.Number != runs-i || r.Result != "succeeded" {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// TestHistoryKilled: a run that is killed while it is recorded is listed as killed, and can be
// shown; before that it is listed as running.
func TestHistoryKilled(t *testing.T) {
	dir, weft := historyProject(t, "version: '3'\ntasks:\n  default: 'while :; do echo line; done'\n")
	for i := range 5 {
		cmd := exec.Command("weft", "-o", "prefixed")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "WEFT_HISTORY=")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		recorded := eventually(func() bool {
			all, _ := filepath.Glob(filepath.Join(dir, ".weft", "runs", "*.log"))
			return len(all) > i
		})
		list := weft("--history")
		cmd.Process.Kill()
		cmd.Wait()
		if !recorded || strings.Count(list, " running ") != 1 || strings.Count(list, " killed ") != i {
			t.Fatalf("run %d:\n%s", i+1, list)
		}
	}
	if list := weft("--history"); strings.Count(list, " killed ") != 5 || strings.Contains(list, " running ") {
		t.Errorf("%s", list)
	}
	if out := weft("--replay", "5"); !strings.HasPrefix(out, "line\nline\n") {
		t.Errorf("%.100q", out)
	}
	if out := weft("--history=5", "default"); !strings.HasPrefix(out, "line\nline\n") {
		t.Errorf("%.100q", out)
	}
}
