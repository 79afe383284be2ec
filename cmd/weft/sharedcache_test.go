//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

// team is machines whose users share a cache server.
type team struct {
	*testing.T
	bin    string // weft and weft-companion
	home   string
	socket string // of the server, if it listens on one
}

// checkout is a checkout on a machine of its own.
type teamCheckout struct {
	*team
	dir string
	env []string
}

func newTeam(t *testing.T) *team {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "weft") // paths of sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	return &team{T: t, bin: bin, home: home, socket: filepath.Join(home, "s")}
}

// serve starts a server, and returns the line that says where it listens.
func (k *team) serve(args ...string) (server *exec.Cmd, address string) {
	k.Helper()
	cmd := exec.Command(filepath.Join(k.bin, "weft"), append([]string{"--cache=serve", "--", "--dir", filepath.Join(k.home, "served")}, args...)...)
	cmd.Env = []string{"HOME=" + k.home, "PATH=" + os.Getenv("PATH")}
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		k.Fatal(err)
	}
	drained := make(chan struct{})
	k.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
	})
	listening := make(chan string, 1)
	go func() {
		defer close(drained)
		var all bytes.Buffer
		told := false
		b := make([]byte, 4096)
		for {
			n, err := log.Read(b)
			all.Write(b[:n])
			if _, rest, found := strings.Cut(all.String(), "listening on "); found && strings.Contains(rest, "\n") && !told {
				line, _, _ := strings.Cut(rest, "\n")
				listening <- line
				told = true
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case address = <-listening:
	case <-time.After(time.Minute):
		k.Fatal("the server does not listen")
	}
	return cmd, address
}

// checkout makes a checkout of tasks, which build "out" of "in", and check that.
func (k *team) checkout(name string, tasks string) *teamCheckout {
	k.Helper()
	c := &teamCheckout{team: k, dir: filepath.Join(k.home, name)}
	c.env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "WEFT_CACHE_REMOTE=unix:" + k.socket}
	for file, text := range map[string]string{"Taskfile.yml": "version: '3'\n" + tasks, "in": "1\n"} {
		if err := os.MkdirAll(c.dir, 0o755); err != nil {
			k.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.dir, file), []byte(text), 0o644); err != nil {
			k.Fatal(err)
		}
	}
	return c
}

// command returns a run of weft with variables of the environment before its arguments.
func (c *teamCheckout) command(line string) *exec.Cmd {
	words := strings.Fields(line)
	i := slices.IndexFunc(words, func(w string) bool { return !strings.Contains(w, "=") || w[0] == '-' })
	if i < 0 {
		i = len(words)
	}
	cmd := exec.Command(filepath.Join(c.bin, "weft"), words[i:]...)
	cmd.Dir, cmd.Env = c.dir, append(slices.Clone(c.env), words[:i]...)
	return cmd
}

// run runs weft, which must exit with code, and returns what it has printed.
func (c *teamCheckout) run(code int, line string) string {
	c.Helper()
	out, err := c.command(line).CombinedOutput()
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		c.Fatal(err)
	}
	if got != code {
		c.Errorf("weft %s: exit code %d, want %d:\n%s", line, got, code, out)
	}
	return string(out)
}

// want is run for a run that succeeds, makes out, and prints all of texts; a text after "!" must be
// missing.
func (c *teamCheckout) want(line string, texts ...string) {
	c.Helper()
	c.check(c.run(0, line), line, texts...)
	if b, err := os.ReadFile(filepath.Join(c.dir, "out")); string(b) != "1\n" {
		c.Errorf("weft %s: out has %q, %v", line, b, err)
	}
}

func (c *teamCheckout) check(out, line string, texts ...string) {
	c.Helper()
	for _, text := range texts {
		no, missing := strings.CutPrefix(text, "!")
		if strings.Contains(out, no) == missing {
			c.Errorf("weft %s: %q is there: %v:\n%s", line, no, missing, out)
		}
	}
}

// clean removes what was made, and the local cache too.
func (c *teamCheckout) clean() {
	c.Helper()
	for _, name := range []string{"out", ".weft", ".cache"} {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			c.Error(err)
		}
	}
}

const teamTasks = `tasks:
  build: {cache: true, sources: [in], generates: [out], cmds: [cp in out, echo log]}
`

const (
	restored = `Task "build" was restored from the cache`
	warning  = "weft: cache: unix:"
)

// TestSharedCache: what one machine has made and stored, another one restores; and what is not a
// run does not connect.
func TestSharedCache(t *testing.T) {
	k := newTeam(t)
	k.serve("--listen", "unix:"+k.socket)
	a, b := k.checkout("a", teamTasks), k.checkout("b", teamTasks)
	a.want("build", "!"+restored, "weft: cache: 0 hits, 1 miss, 0 pushed, ", "log\n")
	a.want("--cache=push build", "weft: cache: 0 hits, 0 misses, 1 pushed, up ")
	b.want("--events events build", restored, "weft: cache: 1 hit, 0 misses, 0 pushed, up 0 B, down ", "log\n")
	if events, err := os.ReadFile(filepath.Join(b.dir, "events")); !strings.Contains(string(events), `"place":"cache"`) || !strings.Contains(string(events), `"stage":"download"`) {
		t.Errorf("no place or stage in the events (%v):\n%s", err, events)
	}
	b.want("build", "is up to date", "!weft: cache")
	b.clean()
	b.want("-s build", "!weft: cache", "!cp in out", "log\n")
	if err := os.Remove(filepath.Join(b.dir, "out")); err != nil {
		t.Fatal(err)
	}
	b.want("WEFT_CACHE_REMOTE=unix:/nowhere build", restored, "!weft: cache") // the local cache has it
	for _, line := range []string{"--no-cache build", "--offline build", "WEFT_CACHE_REMOTE= build"} {
		b.clean()
		b.want(line, "!"+restored, "!weft: cache")
	}
	// WEFT_COMPANION fails if it is started.
	for _, line := range []string{"--list-all", "--check", "--dry build", "--graph build", "--why build", "--summary build", "--cache=ls"} {
		b.check(b.run(0, "WEFT_COMPANION=/nowhere "+line), line, "!nowhere", "!weft: cache")
	}
	b.clean()
	b.want("WEFT_COMPANION=/nowhere build", "!"+restored, "weft: cache: WEFT_COMPANION ", "!misses")
	b.want("WEFT_COMPANION=/nowhere build", "is up to date", "!weft: cache")
	a.clean()
	a.want("WEFT_CACHE_PUSH=1 --refresh build", "!"+restored, "weft: cache: 0 hits, 0 misses, 1 pushed, ")
	b.check(b.run(102, "WEFT_CACHE_REMOTE=h build"), "build", `WEFT_CACHE_REMOTE: "h" is no URL of a cache`)
}

// TestSharedCacheFaults: without a server, or with one that lies or refuses, a run does the same,
// after at most one warning.
func TestSharedCacheFaults(t *testing.T) {
	k := newTeam(t)
	server, _ := k.serve("--listen", "unix:"+k.socket)
	a, b := k.checkout("a", teamTasks), k.checkout("b", teamTasks)
	a.want("WEFT_CACHE_PUSH=1 build", "1 pushed")
	k.poison(a, func(r *cache.ActionResult) {
		r.Files = append(r.Files, cache.OutputFile{Path: "Makefile", Digest: r.Files[0].Digest})
	})
	b.want("build", "!"+restored, `weft: cache: what is stored for "build" cannot be used (output "Makefile": the task does not declare it): running it`, "weft: cache: 0 hits, 1 miss, ")
	if _, err := os.Lstat(filepath.Join(b.dir, "Makefile")); err == nil {
		t.Error("an undeclared file was restored")
	}
	server.Process.Kill()
	b.clean()
	b.want("WEFT_CACHE_PUSH=1 build", "!"+restored, warning, "going on without it", "!pushed")
	if out := b.run(0, "WEFT_CACHE_PUSH=1 --force build"); strings.Count(out, "weft: cache: ") > 1 {
		t.Errorf("more than one warning:\n%s", out)
	}
	// Where nobody listens.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	b.clean()
	b.want("WEFT_CACHE_REMOTE=grpc://"+l.Addr().String()+" build", "!"+restored, "weft: cache: "+l.Addr().String(), "connection refused", "!misses")
}

// poison changes the one result of a checkout on the server.
func (k *team) poison(c *teamCheckout, change func(*cache.ActionResult)) {
	k.Helper()
	out, err := c.command("--cache=ls --json").Output()
	var list struct{ Entries []struct{ Action string } }
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil || len(list.Entries) != 1 {
		k.Fatalf("%v: %s", err, out)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", k.socket) }}}
	url := "http://localhost/ac/" + list.Entries[0].Action
	response, err := client.Get(url)
	if err != nil {
		k.Fatal(err)
	}
	b, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != 200 {
		k.Fatal(response.Status, err)
	}
	r, err := cache.DecodeActionResult(b)
	if err != nil {
		k.Fatal(err)
	}
	change(r)
	q, err := http.NewRequest("PUT", url, bytes.NewReader(r.Append(nil)))
	if err == nil {
		response, err = client.Do(q)
	}
	if err != nil {
		k.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		k.Fatal(response.Status)
	}
}

// TestSharedCacheTokens: a token for reading reads, and cannot write; a run with it goes on.
func TestSharedCacheTokens(t *testing.T) {
	k := newTeam(t)
	var lines string
	tokens := map[string]string{}
	for _, right := range []string{"read", "write"} {
		out, err := exec.Command(filepath.Join(k.bin, "weft"), "--cache=serve", "--", "--new-token="+right).Output()
		words := strings.Fields(string(out)) // "token, …: TOKEN", "line, …: RIGHT sha256:HEX"
		i := slices.Index(words, right)
		if err != nil || i < 0 || i+1 >= len(words) {
			t.Fatalf("%v: %s", err, out)
		}
		_, token, _ := strings.Cut(string(out), ":")
		tokens[right] = strings.Fields(token)[0]
		lines += right + " " + words[i+1] + "\n"
	}
	file := filepath.Join(k.home, "tokens")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	k.serve("--listen", "unix:"+k.socket, "--tokens", file)
	a, b := k.checkout("a", teamTasks), k.checkout("b", teamTasks)
	a.want("WEFT_CACHE_PUSH=1 WEFT_CACHE_TOKEN="+tokens["read"]+" build", warning, "reading only", "!1 pushed", "!"+tokens["read"])
	b.want("WEFT_CACHE_TOKEN="+tokens["read"]+" build", "!"+restored)
	a.want("WEFT_CACHE_PUSH=1 WEFT_CACHE_TOKEN="+tokens["write"]+" --refresh --force build", "1 pushed", "!"+tokens["write"])
	b.clean()
	b.want("build", "!"+restored, warning, "!hits")
	b.clean()
	b.want("WEFT_CACHE_TOKEN="+tokens["read"]+" build", restored, "!"+tokens["read"])
}

// TestSharedCacheKilled: the second program is killed while a run goes on, twice.
func TestSharedCacheKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	k := newTeam(t)
	k.serve("--listen", "unix:"+k.socket)
	tasks := "tasks:\n  build:\n    cmds: [{task: one}, 'echo 1 >at1; until [ -e go1 ]; do sleep 0.01; done', {task: two}, 'echo 1 >at2; until [ -e go2 ]; do sleep 0.01; done', {task: three}]\n"
	for _, name := range []string{"one", "two", "three"} {
		tasks += fmt.Sprintf("  %s: {cache: true, sources: [in], generates: [%[1]s.out, out], cmds: [cp in out, cp in %[1]s.out]}\n", name)
	}
	a := k.checkout("a", tasks)
	cmd := a.command("WEFT_CACHE_PUSH=1 build")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1", "2"} {
		at := filepath.Join(a.dir, "at"+n)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(at); err == nil {
				break
			}
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				cmd.Wait()
				t.Fatalf("%s is not there:\n%s", at, out.String())
			}
		}
		pids := a.processes("weft-companion")
		if len(pids) != 1 {
			t.Errorf("before kill %s: programs %v", n, pids)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
		if err := os.WriteFile(filepath.Join(a.dir, "go"+n), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out.String())
	}
	for _, name := range []string{"one.out", "two.out", "three.out"} {
		if b, err := os.ReadFile(filepath.Join(a.dir, name)); string(b) != "1\n" {
			t.Errorf("%s has %q, %v", name, b, err)
		}
	}
	if n := strings.Count(out.String(), "weft: cache: weft-companion "); n != 1 {
		t.Errorf("%d warnings:\n%s", n, out.String())
	}
}

// processes returns the processes of the checkout's runs, those called name if that is not "".
func (c *teamCheckout) processes(name string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		c.Error(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if (name == "" || bytes.HasPrefix(argv, []byte(name+"\x00"))) && bytes.Contains(environ, []byte("HOME="+c.dir+"\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
