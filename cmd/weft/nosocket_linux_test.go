package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoSocket: with connections configured, whatever only shows something opens no socket, not even in another
// program, and runs no credential helper; all of it dies of its first socket here.
func TestNoSocket(t *testing.T) {
	k := newTeam(t)
	c := k.checkout("a", `
cache:
  remote: {url: 'grpcs://cache.example.com/main', helper: '%workspace%/helper', headers: {x-team: $TEAM}}
  push: true
remote:
  url: grpcs://build.example.com/main
  helper: '%workspace%/helper'
  mode: strict
  all: true
vars: {V: {sh: echo v}}
tasks:
  default: {deps: [build]}
  build: {desc: makes, cache: true, remote: true, sources: [in], generates: [out], cmds: ['cp in out # {{.V}}', echo log]}
`)
	c.env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "TEAM=t", "WEFT_CACHE_TOKEN=t0ken", "XDG_RUNTIME_DIR=" + k.home}
	if err := os.WriteFile(filepath.Join(c.dir, "helper"), []byte("#!/bin/sh\necho ran >>\"$0.ran\"; echo '{}'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.run(0, "--remote=off --offline build")            // there is something to list
	quiet := regexp.MustCompile(`--status|--check|=rm`) // unless something is wrong
	weft := func(line string) (out string, code int, killed bool) {
		cmd := c.command(line)
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, &b
		var err error
		killing(t, []uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT}, func() { err = cmd.Run() })
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatal(err)
		}
		return b.String(), cmd.ProcessState.ExitCode(), cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == unix.SIGSYS
	}
	for _, line := range []string{
		"--list", "--list --json", "--list-all", "--list-all --json --nested", "--summary build", "--summary --json build", "--status build", "--status --json build", "--why build", "--why --json build",
		"--why --remote=auto build", "--graph build", "--graph=json build", "--graph=dot", "--dry build", "--dry -f --remote build", "--check", "--check --json", "--check --remote=here", "--cache=ls", "--cache=ls --json", "--cache=ls build",
		"--help", "--version", "--schema events", "--completion bash", "__complete ''", "__complete bui", "--experiments", "--history", "--history build", "--history=slowest", "--cache=rm build",
		"WEFT_REMOTE=strict --list", "WEFT_CACHE_REMOTE=https://cache.example.com --list-all", "WEFT_REMOTE_URL=grpc://127.0.0.1:1 --status build",
	} {
		out, code, killed := weft(line)
		if killed || code > 1 || code < 0 || strings.Contains(out, "weft-companion") || out == "" && !quiet.MatchString(line) {
			t.Errorf("weft %s: exit code %d, killed: %t:\n%s", line, code, killed, out)
		}
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "*.ran")); err != nil || left != nil {
		t.Errorf("%v, %v", left, err)
	}
	// What connects does not survive that.
	for _, line := range []string{"--check --remote", "-f --remote build"} {
		if out, _, killed := weft(line); !killed && !strings.Contains(out, "weft-companion") {
			t.Errorf("weft %s opens a socket here:\n%s", line, out)
		}
	}
}
