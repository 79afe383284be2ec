//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newFarm is newTeam with a server that runs tasks, on its socket.
func newFarm(t *testing.T) *team {
	t.Helper()
	k := newTeam(t)
	k.socket = startWorker(t)
	return k
}

// project is checkout for tasks that run on the server.
func (k *team) project(name, tasks string) *teamCheckout {
	c := k.checkout(name, tasks)
	c.env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "WEFT_REMOTE_URL=unix:" + k.socket}
	return c
}

// wants fails unless a text has all parts, and none of those that begin with "!".
func (k *team) wants(text string, parts ...string) {
	k.Helper()
	for _, p := range parts {
		if no, is := strings.CutPrefix(p, "!"); is == strings.Contains(text, strings.TrimPrefix(p, "!")) {
			k.Errorf("%q, wanted is %t, in:\n%s", no, !is, text)
		}
	}
}

const farmTasks = `
vars: {TOKEN: {value: s3cret-value, secret: true}}
remote:
  profiles:
    none: {platform: {test: unavailable}}
    lossy: {platform: {test: lose}}
    other: {runner: {file: in}}
    odd: {platform: {ISA: pdp-11}, runner: {installed: /weft}}
tasks:
  build:
    remote: true
    sources: [in, 'src/**']
    generates: ['out/**']
    env: {FROM: file}
    cmds:
      - echo "to stderr" >&2; echo FROM=$FROM
      - mkdir -p out/sub out/none; cat in src/b >out/all; ln -sf all out/link; printf '#!/bin/sh\n' >out/sub/run; chmod 755 out/sub/run
      - if test -e hidden; then echo hidden=yes; else echo hidden=no; fi
  twin: {remote: true, sources: [in, 'src/**'], generates: [], cmd: echo twin; sleep 1}
  again: {remote: true, sources: [in, 'src/**'], generates: [], cmd: echo twin; sleep 1}
  bad: {remote: true, sources: [in], generates: [], cmds: [echo before, exit 3]}
  slow: {remote: true, sources: [in], generates: [], timeout: 2s, cmds: [echo begin; sleep 600]}
  none: {remote: none, sources: [in], generates: [], cmd: echo ran}
  none2: {remote: none, sources: [in], generates: [], cmd: echo ran two}
  none3: {remote: none, sources: [in], generates: [], cmd: echo ran three}
  none4: {remote: none, sources: [in], generates: [], cmd: echo ran four}
  lossy: {remote: lossy, sources: [in], generates: [made], cmd: cp in made}
  cannot: {remote: true, sources: [in], generates: [], cmds: [{task: bad}]}
  other: {remote: other, sources: [in], generates: [], cmd: echo ran}
  private: {deps: [private2], remote: true, sources: [in, id_x], generates: [], cmd: cat id_x}
  private2: {remote: true, sources: [in], generates: [made], cmd: cp in made}
  system: {remote: odd, sources: [in], generates: [], vars: {A: '{{ARCH}}'}, cmd: ': {{.A}}; echo ran'}
  secret: {remote: true, sources: [in], generates: [], cmd: 'test -n {{.TOKEN}} && echo ran'}
  value: {remote: true, sources: [in], generates: [], stdout: [capture], cmd: echo v42}
  use: {deps: [value], cmd: 'echo got {{output "value"}}'}
  asks: {remote: none, sources: [in], generates: [], prompt: 'Sure?', cmd: echo ran}
`

// TestRemoteServer runs tasks on a server, whose worker runs weft.
func TestRemoteServer(t *testing.T) {
	k := newFarm(t)
	a := k.project("a", farmTasks)
	for file, text := range map[string]string{"src/b": "2\n", "hidden": "x", "out/stale": "x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(a.dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(a.dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(c *teamCheckout) {
		t.Helper()
		all, err := os.ReadFile(filepath.Join(c.dir, "out/all"))
		link, _ := os.Readlink(filepath.Join(c.dir, "out/link"))
		run, e := os.Stat(filepath.Join(c.dir, "out/sub/run"))
		if err != nil || string(all) != "1\n2\n" || link != "all" || e != nil || run.Mode().Perm()&0o111 == 0 {
			t.Errorf("got %q, %v, link to %q, %v, %v", all, err, link, run, e)
		}
		if _, err := os.Stat(filepath.Join(c.dir, "out/none")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(c.dir, "out/stale")); err == nil {
			t.Error("what another run has left is still there")
		}
	}

	const worker = `"worker":"worker-7","stages":{`
	// Nothing goes there unless that is wanted.
	k.wants(a.run(0, "none"), "ran\n", "!remote:")
	out := a.run(0, "--remote --events events build")
	if events, err := os.ReadFile(filepath.Join(a.dir, "events")); err != nil || !strings.Contains(string(events), worker) {
		t.Errorf("no worker in %s, %v", events, err)
	}
	k.wants(out, "to stderr\n", "FROM=file\n", "hidden=no\n", "weft: [build] echo", "weft: remote: 1 ran there, 0 from the cache, up ")
	check(a)
	k.wants(a.run(0, "WEFT_REMOTE=auto build"), "is up to date", "!remote:")
	// It is kept here, and found there by others.
	if err := os.RemoveAll(filepath.Join(a.dir, "out")); err != nil {
		t.Fatal(err)
	}
	k.wants(a.run(0, "--remote=strict build"), "hidden=no\n", "!ran there")
	check(a)
	b := k.project("b", farmTasks)
	if err := os.CopyFS(filepath.Join(b.dir, "src"), os.DirFS(filepath.Join(a.dir, "src"))); err != nil {
		t.Fatal(err)
	}
	k.wants(b.run(0, "--remote=strict build"), "FROM=file\n", "0 ran there, 1 from the cache")
	check(b)
	k.wants(b.run(0, "-f --remote=strict build"), "1 ran there, 0 from the cache")
	k.wants(b.run(0, "-f --no-cache --remote=strict build"), "1 ran there, 0 from the cache")
	check(b)

	// The local cache is damaged.
	blobs, err := filepath.Glob(filepath.Join(b.dir, ".cache/weft/v1/cas/*/*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("%v, %v", blobs, err)
	}
	for _, blob := range blobs {
		err := os.Chmod(blob, 0o600)
		if err == nil {
			err = os.WriteFile(blob, []byte("x"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "out")); err != nil {
		t.Fatal(err)
	}
	b.run(0, "--remote=strict build")
	check(b)

	// The same Action is executed once.
	k.wants(a.run(0, "--remote -p twin again"), "weft: remote: ", " ran there")
	// A command that fails there is a command that failed.
	k.wants(a.run(3, "-x --remote bad"), "before\n", `"bad" failed: exit status 3`)
	k.wants(a.run(124, "-x --remote=strict slow"), "begin\n", "timed out after 2s")
	k.wants(a.run(0, "--remote use"), "got v42\n")
	// The server has lost the inputs: they are sent again.
	k.wants(a.run(0, "--remote=strict lossy"), "1 ran there")
	if made, err := os.ReadFile(filepath.Join(a.dir, "made")); err != nil || string(made) != "1\n" {
		t.Errorf("got %q, %v", made, err)
	}

	// What cannot run there runs here, or fails.
	k.wants(a.run(0, "--remote secret"), "ran\n", "it uses the secret variable TOKEN", "!s3cret-value")
	if err := os.WriteFile(filepath.Join(a.dir, "id_x"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.wants(a.run(0, "--remote=strict private"), "x\n", `weft: remote: "private" sends id_x to unix:`, `task "private": its sources match nothing that "private2" generates`, `!"private2" sends`)
	k.wants(a.run(0, "--remote system"), "ran\n", "its text depends on the system, ", " here and pdp-11 there (ARCH in the variable A)")
	k.wants(a.run(201, "-f --remote=strict secret"), "!ran\n", "it cannot run elsewhere: it uses the secret variable TOKEN")
	k.wants(a.run(1, "--remote=strict cannot"), `: task "cannot" cannot run elsewhere: command 1 calls task "bad": make that a need; remove remote`, "!before")
	k.wants(a.run(0, "-f --remote other"), "ran\n", `no weft for`, `it is no program for Linux or macOS): set runner of profile "other"`)

	// The infrastructure fails.
	out = a.run(0, "-f --remote none none2 none3 none4")
	k.wants(out, "ran\n", "ran two\n", "ran three\n", "ran four\n", `does not run "none" (`, "No workers exist for", "running it here", "!\x1b",
		"did not run 3 tasks", `0 ran there, 0 from the cache, 4 here (4 not possible there now)`, `!"none2"`)
	k.wants(a.run(201, "-f --remote=strict none"), "does not run it: ", "!ran\n")
	k.wants(a.run(0, "WEFT_REMOTE_JOBS=0 -f --remote none"), "ran\n", "remote.jobs is 0")
	k.wants(a.run(0, "-f -y --remote asks"), "ran\n")
	gone := "WEFT_REMOTE_URL=unix:" + k.socket + "-none"
	k.wants(a.run(0, gone+" -f --remote build"), "does not run \"build\" (cannot be reached (no such file or directory)): running it here", "hidden=yes\n")
	k.wants(a.run(201, gone+" -f --remote=strict build"), "does not run it: cannot be reached", "!hidden=")

	// Errors before anything runs.
	k.wants(a.run(102, "WEFT_REMOTE_URL=h build"), `WEFT_REMOTE_URL: "h" is no URL of a server that runs tasks`)
	k.wants(a.run(1, "WEFT_REMOTE_URL= --remote build"), "weft: --remote=auto: remote execution needs a server: set remote.url in the Taskfile, or WEFT_REMOTE_URL")
	k.wants(a.run(1, "WEFT_REMOTE=there build"), "--remote takes auto, strict, here or off")
	k.wants(a.run(1, "--remote --remote-jobs=1001 build"), "a number from 0 to 1000 is expected")
	k.wants(a.run(1, "--offline --remote=strict build"), "--offline")
	k.wants(a.run(0, "-f --offline --remote twin"), "twin\n", "!remote:")
	k.wants(a.run(0, gone+" --list-all --remote"), "!remote:")
}

// TestRemoteInFlight: steps that are there take no slot, and are not more than allowed.
func TestRemoteInFlight(t *testing.T) {
	k := newFarm(t)
	tasks := "tasks:\n  all:\n    deps: [{for: {var: N}, task: one, vars: {N: '{{.ITEM}}'}}]\n    vars: {N: '"
	for i := range 30 {
		tasks += fmt.Sprint(i, " ")
	}
	tasks += "'}\n  locked:\n    deps: [{for: [a, b, c, d, e, f], task: lock, vars: {N: '{{.ITEM}}'}}]\n" +
		"  lock: {remote: true, sources: [in], generates: [], cmd: 'mkdir locked && sleep 0.1 && rmdir locked && : {{.N}}'}\n"
	tasks += "  one: {remote: true, sources: [in], generates: [], cmd: 'sleep 1; echo {{.N}}'}\n"
	a := k.project("a", tasks)
	out := a.run(0, "-C 1 --remote=strict --remote-jobs=30 all")
	k.wants(out, "30 ran there")
	// Those that the server does not run take slots again.
	k.wants(a.run(0, "WEFT_REMOTE_URL=unix:"+k.socket+"-none -C 1 --remote locked"), "6 here (6 not possible there now)")
}
