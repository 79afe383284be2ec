package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bazelServer and bazelSources are what Debian has of Bazel's RemoteWorker: its libraries, and its
// sources.
const (
	bazelServer  = "/usr/share/bazel/A-server.jar"
	bazelSources = "/usr/src/bazel-bootstrap/src/tools/remote/src/main/java/com/google/devtools/build/remote/worker"
	bazelWorker  = "com.google.devtools.build.remote.worker.RemoteWorker"
	bazelPort    = "8980"
	// bazelMemory is how much memory it may take for a blob of 1 GiB, in KiB: it has it twice, and sends it at once.
	bazelMemory = 6 << 20
)

// bazel is Bazel's RemoteWorker. It listens on every address and runs what it is sent, so it has a
// network of its own, where nothing but its loopback interface is; it is reached through a socket.
type bazel struct {
	*team
	classes string
	dial    chan chan net.Conn // from within its network
	start   chan *exec.Cmd     // there
	started chan error
	server  *exec.Cmd
}

// newBazel compiles and starts a RemoteWorker, which is the server of the team.
func newBazel(t *testing.T) *bazel {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles Bazel's RemoteWorker; skipped with -short")
	}
	for _, file := range []string{bazelServer, bazelSources} {
		if _, err := os.Stat(file); err != nil {
			t.Skip("Bazel's RemoteWorker is not installed: apt-get install bazel-bootstrap bazel-bootstrap-source default-jdk-headless")
		}
	}
	if _, err := exec.LookPath("javac"); err != nil || os.Geteuid() != 0 {
		t.Skipf("Bazel's RemoteWorker needs javac, and root for a network of its own: user %d, %v", os.Geteuid(), err)
	}
	b := &bazel{team: newTeam(t), dial: make(chan chan net.Conn), start: make(chan *exec.Cmd), started: make(chan error)}
	b.classes = filepath.Join(b.home, "classes")
	var sources []string
	filepath.WalkDir(bazelSources, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".java") {
			sources = append(sources, path)
		}
		return err
	})
	if out, err := exec.Command("javac", append([]string{"-nowarn", "-proc:none", "-cp", bazelServer, "-d", b.classes}, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	entered := make(chan error)
	go b.within(entered)
	if err := <-entered; err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	t.Cleanup(func() { close(b.dial) })
	b.up()
	b.relay()
	return b
}

// within enters a network namespace with its thread, which ends with the test, and does there what it
// is asked for.
func (b *bazel) within(entered chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		entered <- err
		return
	}
	entered <- loopbackUp()
	for {
		select {
		case cmd := <-b.start:
			b.started <- cmd.Start()
		case answer, ok := <-b.dial:
			if !ok {
				return
			}
			c, _ := net.Dial("tcp", "127.0.0.1:"+bazelPort)
			answer <- c
		}
	}
}

// loopbackUp brings up the loopback interface of the network of the calling thread.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// up starts the server, and waits until it listens.
func (b *bazel) up() {
	b.Helper()
	for _, dir := range []string{"work", "cas"} {
		if err := os.MkdirAll(filepath.Join(b.home, dir), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command("java", "-XX:+UseG1GC", "-Xmx3g", "-cp", b.classes+":"+bazelServer, bazelWorker,
		"--work_path="+filepath.Join(b.home, "work"), "--cas_path="+filepath.Join(b.home, "cas"), "--listen_port="+bazelPort)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.home}
	log, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	b.start <- cmd
	if err := <-b.started; err != nil {
		b.Fatal(err)
	}
	b.server = cmd
	listens := make(chan bool, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Not starting HTTP cache server") { // which comes last
				listens <- true
			}
		}
		close(listens)
	}()
	b.Cleanup(func() { cmd.Process.Kill(); <-drained; cmd.Wait() })
	select {
	case ok := <-listens:
		if !ok {
			b.Fatal("the RemoteWorker has ended")
		}
	case <-time.After(2 * time.Minute):
		b.Fatal("the RemoteWorker does not listen")
	}
}

// relay connects the socket of the team with the server, or ends the connection if there is none.
func (b *bazel) relay() {
	b.Helper()
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			answer := make(chan net.Conn)
			b.dial <- answer
			there := <-answer
			if there == nil {
				here.Close()
				continue
			}
			go func() { io.Copy(there, here); there.Close() }()
			go func() { io.Copy(here, there); here.Close() }()
		}
	}()
}

const bazelTasks = `
tasks:
  all: {deps: [{for: [a, b, c], task: part, vars: {NAME: '{{.ITEM}}'}}, merge]}
  part:
    run: when_changed
    remote: true
    sources: ['src/{{.NAME}}/**', in]
    generates: ['out/{{.NAME}}/**']
    cmds:
      - echo "{{.NAME}}" >&2
      - mkdir -p out/{{.NAME}}/sub/empty; cat in $(find src/{{.NAME}} -type f | sort) >out/{{.NAME}}/all; ln -sf ../all out/{{.NAME}}/sub/link
      - printf '#!/bin/sh\necho run\n' >out/{{.NAME}}/run; chmod 755 out/{{.NAME}}/run; test ! -e src/other
  merge:
    deps: [{for: [a, b, c], task: part, vars: {NAME: '{{.ITEM}}'}}]
    remote: true
    sources: ['out/*/all']
    generates: [merged]
    cmd: cat out/*/all >merged
  chain: {deps: [second], remote: true, sources: [two], generates: [three], cmd: cp two three; echo 3 >>three}
  second: {deps: [first], remote: true, sources: [one], generates: [two], cmd: cp one two; echo 2 >>two}
  first: {remote: true, sources: [in], generates: [one], cmd: cp in one; echo 1 >>one}
  many: {deps: [{for: [MANY], task: part, vars: {NAME: '{{.ITEM}}'}}]}
  huge: {remote: true, sources: [in], generates: [huge], cmd: HUGE >huge}
  bad: {remote: true, sources: [in], generates: [], cmds: [echo before, exit 3]}
  slow: {remote: true, sources: [in], generates: [], timeout: 2s, cmds: [echo begin; sleep 61234 & sleep 61234]}
  killed: {remote: true, sources: [in], generates: [made], cmd: echo $$ >>$STARTED; sleep 1; cp in made}
`

// hugeOutput makes 1 GiB, no two parts of which are equal.
const hugeOutput = "seq 200000000 | head -c 1073741824"

// treeOf describes all that is below the paths in a directory.
func treeOf(t *testing.T, dir string, paths ...string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range paths {
		err := filepath.WalkDir(filepath.Join(dir, path), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(dir, path)
			info, err := e.Info()
			if err != nil {
				return err
			}
			text := ""
			switch {
			case info.Mode().IsRegular():
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				text = fmt.Sprintf("%q", content)
			case info.Mode()&fs.ModeSymlink != 0:
				text, err = os.Readlink(path)
			}
			fmt.Fprintf(&b, "%s %v executable=%t %s\n", name, info.Mode().Type(), info.Mode()&0o100 != 0, text)
			return err
		})
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", path, err)
		}
	}
	return b.String()
}

// TestBazelWorker runs tasks on Bazel's RemoteWorker, which is not ours: trees, links, modes, 20 at
// once, an output of 1 GiB, failures, time limits, outputs that stay there, and its death.
func TestBazelWorker(t *testing.T) {
	b := newBazel(t)
	sources := map[string]string{"src/a/x": "1\n", "src/b/y": "2\n", "src/c/z/deep": "", "src/c/z2": "3\n", "src/other": "x"}
	var many []string
	for i := range 20 {
		name := fmt.Sprint("many", i)
		many = append(many, name)
		sources["src/"+name+"/x"] = name
	}
	tasks := strings.NewReplacer("MANY", strings.Join(many, ", "), "HUGE", hugeOutput, "$STARTED", filepath.Join(b.home, "started")).Replace(bazelTasks)
	checkout := func(name string) *teamCheckout {
		c := b.project(name, tasks)
		for file, text := range sources {
			path := filepath.Join(c.dir, file)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, []byte(text), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	here, there := checkout("here"), checkout("there")
	b.wants(here.run(0, "--remote=here all"), "!remote: unix:")
	b.wants(there.run(0, "--check --remote"), "API 2.0", "reads, executes", `task "merge": runs there`)
	b.wants(there.run(0, "-p --remote=strict all"), "4 ran there, 0 from the cache", "a\n", "b\n", "c\n")
	made := []string{"out", "merged"}
	if got, want := treeOf(t, there.dir, made...), treeOf(t, here.dir, made...); got != want {
		t.Errorf("there:\n%s\nhere:\n%s", got, want)
	}
	again := checkout("again")
	b.wants(again.run(0, "-p --remote=strict all"), "0 ran there, 4 from the cache")
	if got, want := treeOf(t, again.dir, made...), treeOf(t, here.dir, made...); got != want {
		t.Errorf("found there:\n%s\nhere:\n%s", got, want)
	}

	// Outputs that stay there are handed over there.
	for _, download := range []string{"none", "toplevel", "all"} {
		c := checkout("chain-" + download)
		c.run(0, "--remote=strict --remote-download="+download+" chain")
		left := treeOf(t, c.dir, "one", "two", "three")
		for file, fetched := range map[string]bool{"one": download == "all", "two": download == "all", "three": download != "none"} {
			if is := strings.Contains(left, file+" ---------- executable=false "); is != fetched {
				t.Errorf("%s: %s is here: %t\n%s", download, file, is, left)
			}
		}
	}

	here.run(0, "--remote=here many")
	b.wants(there.run(0, "--remote=strict many"), "20 ran there")
	if got, want := treeOf(t, there.dir, "out"), treeOf(t, here.dir, "out"); got != want {
		t.Errorf("20 at once, there:\n%s\nhere:\n%s", got, want)
	}

	if free := memoryAvailable(t); free < bazelMemory {
		t.Logf("1 GiB is not tried: the RemoteWorker takes up to %d KiB of memory, and %d are available", bazelMemory, free)
	} else {
		out, peak := there.peak("--remote=strict huge")
		b.wants(out, "1 ran there")
		if out, err := exec.Command("sh", "-c", hugeOutput+" | cmp - "+filepath.Join(there.dir, "huge")).CombinedOutput(); err != nil {
			t.Errorf("huge: %v: %s", err, out)
		}
		if peak == 0 || peak > 96<<10 {
			t.Errorf("weft-companion had %d KiB of memory, want at most 96 MiB", peak)
		}
	}

	b.wants(there.run(3, "-x --remote=strict bad"), "before\n", `"bad" failed: exit status 3`)
	b.wants(there.run(124, "-x --remote=strict slow"), "begin\n", "timed out after 2s")
	if !eventually(func() bool { return !runs("sleep", "61234") }) {
		t.Error("processes of a task that has timed out still run")
	}

	// The server dies while it runs a task: the task runs here, or fails.
	started := filepath.Join(b.home, "started")
	dies := func(mode string, code int, texts ...string) {
		t.Helper()
		os.Remove(started)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if _, err := os.Stat(started); err == nil {
					break
				}
			}
			b.server.Process.Kill()
		}()
		out := there.run(code, "-f --remote="+mode+" killed")
		<-done
		b.wants(out, texts...)
	}
	dies("auto", 0, "running it here")
	if got, err := os.ReadFile(filepath.Join(there.dir, "made")); string(got) != "1\n" {
		t.Errorf("made: %q, %v", got, err)
	}
	b.up()
	dies("strict", 201, `does not run it`)
}

// memoryAvailable returns how much memory programs that are started may have, in KiB.
func memoryAvailable(t *testing.T) (kib int) {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	_, available, found := strings.Cut(string(text), "MemAvailable:")
	if _, e := fmt.Sscan(available, &kib); err != nil || !found || e != nil {
		t.Fatalf("no MemAvailable in /proc/meminfo: %v, %v", err, e)
	}
	return kib
}

// runs reports whether a process with these arguments runs.
func runs(argv ...string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if text, _ := os.ReadFile(file); string(text) == strings.Join(argv, "\x00")+"\x00" {
			return true
		}
	}
	return false
}

// peak is run for a run that succeeds, and also returns the most memory that its second program had, in KiB.
func (c *teamCheckout) peak(line string) (out string, kib int) {
	c.Helper()
	cmd := c.command(line)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, pid := range c.processes("weft-companion") {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, high, _ := strings.Cut(string(status), "VmHWM:")
			n := 0
			fmt.Sscan(high, &n)
			kib = max(kib, n)
		}
		select {
		case err := <-ended:
			if err != nil {
				c.Errorf("weft %s: %v:\n%s", line, err, &said)
			}
			return said.String(), kib
		case <-tick.C:
		}
	}
}
