//go:build unix

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestRemoteHereKilled: the next run removes the directory that a killed one has left.
func TestRemoteHereKilled(t *testing.T) {
	k := newTeam(t)
	tmp := filepath.Join(k.home, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	c := k.checkout("a", `tasks:
  hang: {remote: true, sources: [in], generates: [], cmd: touch "$BEGUN" && sleep 1000}
  quick: {remote: true, sources: [in], generates: [], cmd: echo done}
`)
	begun := filepath.Join(k.home, "begun")
	c.env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + tmp, "NO_COLOR=1"}
	if err := os.WriteFile(filepath.Join(c.dir, ".env"), []byte("BEGUN="+begun+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.dir, "Taskfile.yml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(c.dir, "Taskfile.yml"), append(text, "dotenv: [.env]\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	left := func() []string {
		all, err := filepath.Glob(filepath.Join(tmp, "weft-here-*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	cmd := c.command("--remote=here hang")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { _, err := os.Stat(begun); return err == nil }) {
		t.Error("the command does not begin")
	}
	if len(left()) != 1 {
		t.Errorf("got %q", left())
	}
	// What is used by another run stays.
	k.wants(c.run(0, "--remote=here quick"), "done\n")
	if len(left()) != 1 {
		t.Errorf("got %q", left())
	}
	cmd.Process.Kill()
	cmd.Wait()
	if len(left()) != 1 {
		t.Errorf("got %q", left())
	}
	k.wants(c.run(0, "-f --remote=here quick"), "done\n")
	if len(left()) != 0 {
		t.Errorf("got %q", left())
	}
}

// TestCheckServersInterrupted: a server that does not answer does not hold up the user.
func TestCheckServersInterrupted(t *testing.T) {
	k := newTeam(t)
	l, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connected := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connected <- conn
		}
	}()
	c := k.project("a", "tasks: {t: {remote: true, sources: [in], generates: [], cmd: echo}}\n")
	cmd := c.command("--check --remote")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	select {
	case conn = <-connected:
		defer conn.Close()
	case <-time.After(time.Minute):
		t.Error("it does not connect")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	cmd.Wait()
	if status, is := cmd.ProcessState.Sys().(syscall.WaitStatus); !is || status.Signal() != syscall.SIGINT {
		t.Errorf("got %v:\n%s", cmd.ProcessState, &out)
	}
	// The second program ends, too.
	if conn != nil {
		conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Error(err)
		}
	}
}

// TestUnwritableResults: servers are used even if the output cache cannot be written to.
func TestUnwritableResults(t *testing.T) {
	k := newFarm(t)
	tmp := filepath.Join(k.home, "tmp")
	sealed := filepath.Join(k.home, "sealed") // a file, since root may write to all directories
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sealed, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	const tasks = `
tasks:
  there: {remote: true, sources: [in], generates: [made], cmd: cp in made}
  here: {cache: true, sources: [in], generates: [out], cmd: cp in out; echo log}
`
	cache := filepath.Join(k.home, "c")
	k.serve("--listen", "unix:"+cache)
	for _, dir := range []string{sealed, filepath.Join(sealed, "below")} {
		for i, name := range []string{"a", "b"} {
			c := k.project(name+filepath.Base(dir), tasks)
			c.env = append(c.env, "TMPDIR="+tmp, "WEFT_CACHE_DIR="+dir, "WEFT_CACHE_REMOTE=unix:"+cache, "WEFT_CACHE_PUSH=1")
			out := c.run(0, "--remote=strict there here")
			k.wants(out, "log\n", "!cannot be used")
			if i > 0 {
				k.wants(out, "weft: cache: 1 hit", "0 ran there, 1 from the cache")
			}
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
