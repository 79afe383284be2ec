//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMessageSchema: every message is checked by weft-companion; without that, and with a
// schema that is none, nothing is started.
func TestMessageSchema(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("there is no bash")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Taskfile.yml": `version: '3'
silent: true
tasks:
  good: &task
    shell: bash
    ipc: {schema: result.json}
    cmd: echo started; printf '%s\n' '{"result":1}' {{.MORE}} >&3
  bad: {<<: *task, vars: {MORE: "'{\"result\":\"x\"}'"}}
  none: {<<: *task, ipc: {schema: none.json}}
  remote: {<<: *task, ipc: {schema: remote.json}}
  large: {shell: bash, ipc: {schema: result.json}, cmd: 'printf "\"%017000000d\"\n" 1 >&3'}
`,
		"result.json": `{"required": ["result"], "properties": {"result": {"type": "integer"}}}`,
		"remote.json": `{"$ref": "https://example.com/x.json"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		task, companion string
		started         bool
		want            string // in stderr; "": it succeeds
	}{
		{"good", "", true, ""},
		{"bad", "", true, `"bad" failed: Taskfile.yml:7:10: a message does not conform to result.json: /result: got string, want integer: {"result":"x"}`},
		{"none", "", false, "ipc: schema none.json: "},
		{"remote", "", false, "remote schemas are not supported"},
		{"large", "", false, "a message that has a schema is more than 16 MiB"},
		{"good", "/nowhere", false, "ipc: schema result.json: WEFT_COMPANION is not usable"},
	} {
		cmd := exec.Command(filepath.Join(bin, "weft"), test.task)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "WEFT_COMPANION="+test.companion)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if (err == nil) != (test.want == "") || !strings.Contains(errs.String(), test.want) || strings.Contains(out.String(), "started") != test.started {
			t.Errorf("%s: %v, stdout %q, stderr %s; want %s", test.task, err, out.String(), errs.String(), test.want)
		}
	}
}
