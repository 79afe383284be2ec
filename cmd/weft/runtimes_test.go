//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRuntimes: other versions of Node, and Bun and Deno, use the channel of messages as their own.
// It installs them.
func TestRuntimes(t *testing.T) {
	if os.Getenv("WEFT_RUNTIMES") == "" {
		t.Skip("installs runtimes; WEFT_RUNTIMES=1 runs it")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip(err)
	}
	run := func(t *testing.T, dir, path, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	tests, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	weft := filepath.Join(buildWeft(t), "weft")
	for _, of := range []string{"node@18", "node@20", "node@22", "node@24", "bun", "deno"} {
		t.Run(of, func(t *testing.T) {
			dir := t.TempDir()
			name, _, isNode := strings.Cut(of, "@")
			for file, text := range map[string]string{
				"package.json": "{}",
				"worker.js":    "process.on('message', m => process.send({result: m.a + m.b}));\n",
				"Taskfile.yml": `version: '3'
tasks:
  sum: {cmd: ` + name + ` ` + map[string]string{"deno": "run -A "}[name] + `worker.js, ipc: {send: [{a: 5, b: 8}], expect: 1}, outputs: {total: {from: message, path: .result}}}
  default: {deps: [sum], cmd: 'echo {{output "sum" "total"}}'}
`,
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, "node_modules/.bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
			run(t, dir, path, npm, "install", "--silent", "--no-audit", "--no-fund", of)
			if got := run(t, dir, path, weft, "-s"); got != "13\n" {
				t.Errorf("the sum is %q, want 13", got)
			}
			if isNode {
				run(t, here, path, tests, "-test.run=^TestScript$/^ipc_(node|to|service)$", "-test.count=1")
			}
		})
	}
}
