//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestAnswers: answers as JSON follow the schemas that --schema prints, and these reject other
// documents.
func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	weft := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("weft", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "WEFT_CACHE_DIR="+filepath.Join(dir, "cache"))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatalf("%q: %v: %s", args, err, &stderr)
		}
		return string(out)
	}
	for name, text := range map[string]string{
		"in": "x", "Taskfile.yml": `
version: '3'
vars: {S: {sh: echo s}, R: {ref: .S}, L: [1, 2], T: text}
tasks:
  all: {deps: [made, plain], cmds: [echo all, {task: plain}]}
  made: {desc: makes, aliases: [m], cache: true, sources: [in], generates: [out], requires: {vars: [T]}, env: {E: e}, cmds: ['cp in out']}
  plain: 'echo plain'
  skipped: {if: 'false', cmds: [echo]}
  hidden: 'cat in'
`, "bad.yml": "version: '3'\ntasks: {a: {cmds: [{task: b}], odd: 1}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) bool {
		cmd := exec.Command("git", append([]string{"-c", "user.name=w", "-c", "user.email=w@example.com"}, args...)...)
		cmd.Dir = dir
		return cmd.Run() == nil
	}
	versioned := git("init", "-q") && git("add", "in", "Taskfile.yml") && git("commit", "-q", "-m", "all")
	weft("made")
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	weft("made")
	for _, test := range []struct {
		schema string
		args   []string
		has    string
	}{
		{"why", []string{"--why", "all", "skipped"}, `"up_to_date": true`},
		{"why", []string{"--why", "made", "T=other"}, `"reasons"`},
		{"graph", []string{"--graph=json", "all"}, `"needs": [`},
		{"status", []string{"--status", "made", "plain"}, `"up_to_date": false`},
		{"summary", []string{"--summary", "all", "made"}, `"sh": "echo s"`},
		{"check", []string{"--check", "-v"}, `"problems": [`},
		{"check", []string{"--check", "-t", "bad.yml"}, `"code": "unknown_key"`},
		{"cache", []string{"--cache=ls"}, `"task": "made"`},
		{"ps", []string{"--ps"}, `"runs": [`},
		{"affected", []string{"--affected=HEAD"}, `"made": "`},
		{"audit", []string{"--audit", "hidden", "plain"}, `"in"`},
	} {
		if test.schema == "affected" && !versioned || test.schema == "audit" && !traces() {
			continue // without git, and without strace, there is no answer
		}
		compiler := jsonschema.NewCompiler()
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(weft("--schema", test.schema)))
		if err != nil {
			t.Fatal(err)
		}
		compiler.AddResource("schema.json", document)
		schema, err := compiler.Compile("schema.json")
		if err != nil {
			t.Fatal(err)
		}
		text := weft(append(test.args, "--json")...)
		if !strings.HasPrefix(text, "{\n  \"version\": 1,\n") || !strings.Contains(text, test.has) {
			t.Errorf("%q: no %s in %s", test.args, test.has, text)
		}
		read := func() map[string]any {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%q: %v: %s", test.args, err, text)
			}
			return v.(map[string]any)
		}
		if err := schema.Validate(read()); err != nil {
			t.Errorf("%q: %v\n%s", test.args, err, text)
		}
		for field := range read() {
			missing, odd := read(), read()
			delete(missing, field)
			odd[field] = json.Number("7.5")
			if schema.Validate(missing) == nil || schema.Validate(odd) == nil {
				t.Errorf("%q: the schema %s takes an answer without %q, or with another", test.args, test.schema, field)
			}
		}
	}
}
