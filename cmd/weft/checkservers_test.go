//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const checkedTasks = `
vars: {N: {sh: 'touch ran'}}
remote:
  headers: {test: $TEST}
  profiles:
    linux: {platform: {Pool: big}, runner: {installed: /usr/bin/weft}}
tasks:
  there: {remote: true, sources: [in], generates: [], cmd: 'echo {{.N}}'}
  linux: {remote: linux, sources: [in], generates: [], cmd: echo}
  silent: {service: true, cmd: echo}
`

const uncheckedTasks = checkedTasks + `  e2e: {remote: true, interactive: true, generates: [], cmds: [{task: linux}]}
  odd: {remote: {profile: other, platform: {Pool: odd}}, sources: [in], generates: [], cmd: echo}
`

// TestCheckServers: --check --remote connects, and tells what it has found.
func TestCheckServers(t *testing.T) {
	k := newFarm(t)
	a := k.project("a", checkedTasks)
	a.env = append(a.env, "TEST=none")
	shared := filepath.Join(k.home, "c")
	k.serve("--listen", "unix:"+shared)
	both := "WEFT_CACHE_REMOTE=unix:" + shared + " "
	k.wants(a.run(0, both+"WEFT_CACHE_PUSH=1 --check --remote"),
		"cache.remote: unix:"+shared+": API 2.0-2.3, not compressed, batches of at most 3.9 MiB, reads, writes\n",
		"\nremote: unix:"+k.socket+": API 2.0-2.3, not compressed, batches of at most 4.0 MiB, reads, executes\n",
		"\nprofile \"linux\": Pool=big: runner installed /usr/bin/weft\n", "\nprofile \"default\": ISA=", " MiB\n",
		"\ntask \"there\": runs there: profile \"default\"\ntask \"linux\": runs there: profile \"linux\"\n", "!silent", "!problem")
	// Only the flag connects.
	k.wants(a.run(0, both+"WEFT_REMOTE=auto --check"), "!API")
	k.wants(a.run(0, both+"--check --remote=here"), "!API")

	// What is wrong.
	k.wants(a.run(1, "TEST=idle --check --remote"), "remote: unix:"+k.socket+": it does not execute actions\n", "!runs there")
	k.wants(a.run(1, "TEST=rude --check --remote=strict"), "remote: unix:"+k.socket+": ", "all is well", "!\x1b", "!\a", "!\nweft: all", "!runs there", "!going on")
	gone := "WEFT_REMOTE_URL=unix:" + k.socket + "-none "
	k.wants(a.run(1, gone+"--check --remote"), "-none: cannot be reached (no such file or directory)\n", "!going on", "!runs there", `profile "linux": Pool=big`)
	k.wants(a.run(1, "--offline --check --remote"), "--offline: nothing was connected", "!API")
	k.wants(a.run(1, "WEFT_REMOTE_URL= --check --remote"), "--check --remote: remote execution needs a server; set remote.url in the Taskfile, or WEFT_REMOTE_URL", "!API")

	// A web server is asked for something.
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.NotFound(w, r)
	}))
	defer web.Close()
	cached := k.checkout("d", "tasks: {a: {cache: true, sources: [in], generates: [], cmd: echo}}\n")
	cached.env = append(cached.env, "WEFT_CACHE_REMOTE="+web.URL)
	k.wants(cached.run(0, "WEFT_CACHE_TOKEN=t0ken-value --check --remote"), "cache.remote: ", ": HTTP, not compressed, one file in a request, reads\n", "!t0ken")
	k.wants(cached.run(1, "--check --remote"), "cache.remote: ", "!HTTP,")
	k.wants(cached.run(1, "WEFT_CACHE_REMOTE=http://127.0.0.1:1 --check --remote"), "cache.remote: 127.0.0.1:1: cannot be reached (connection refused)\n", "!HTTP,")

	b := k.project("b", strings.Replace(uncheckedTasks, "tasks:", "    other: {runner: {file: in}}\ntasks:", 1))
	b.env = append(b.env, "TEST=none")
	k.wants(b.run(1, "--check --remote"), "remote: unix:"+k.socket+": API",
		`Taskfile.yml:13:3: task "e2e": runs here: it has no sources, and a worker gets only the files they name`,
		`Taskfile.yml:13:3: task "e2e": runs here: it talks to the terminal (interactive)`,
		`Taskfile.yml:13:3: task "e2e": runs here: command 1 calls task "linux": make that a need`,
		`Taskfile.yml:8:5: profile "other": no weft for ISA=`, `it is no program for Linux or macOS): set runner of profile "other"`,
		`Taskfile.yml:14:3: task "odd": runs here: no weft for ISA=`, `task "there": runs there`, "weft: 5 problems")
	k.wants(b.run(1, "--check"), "weft: 3 problems", "!no weft for") // reads no programs

	cmd := b.command("--check --remote --json")
	text, err := cmd.Output()
	if exit, is := err.(*exec.ExitError); !is || exit.ExitCode() != 1 {
		t.Errorf("got %v", err)
	}
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("../../schema/check.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(document)
	}
	if err != nil {
		t.Errorf("%v: %s", err, text)
	}
	var got jsonCheck
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	s := got.Remote
	if s == nil || len(got.Problems) != 5 || len(s.Connections) != 1 || !s.Connections[0].Executes || s.Connections[0].Key != "remote" || len(s.Profiles) != 3 || len(s.Tasks) != 4 {
		t.Fatalf("got %s", text)
	}
	if there, e2e := s.Tasks[0], s.Tasks[2]; there.Place != "remote" || there.Reasons != nil || e2e.Task != "e2e" || e2e.Place != "here" || len(e2e.Reasons) != 3 {
		t.Errorf("got %+v, %+v", there, e2e)
	}
	// Nothing has run.
	if left, err := filepath.Glob(filepath.Join(k.home, "[ab]", "ran")); err != nil || left != nil {
		t.Errorf("%v, %v", left, err)
	}
}
