package companion

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/keeper"
)

// roleVariable is the variable that makes the test program a second program.
const roleVariable = "COMPANION_TEST_ROLE"

func TestMain(m *testing.M) {
	if r := os.Getenv(roleVariable); r != "" {
		os.Exit(play(r))
	}
	goleak.VerifyTestMain(m)
}

// play is the second program of a test.
func play(role string) int {
	h := &rig{role: role}
	switch role {
	case "silent":
		io.Copy(io.Discard, os.Stdin)
		return 0
	case "deaf": // writes nothing, and does not notice the end of its input
		time.Sleep(time.Hour)
	case "garbage":
		os.Stdout.WriteString("panic: runtime error\n\ngoroutine 1 [running]:\n")
		io.Copy(io.Discard, os.Stdin)
		return 0
	case "short-lived":
		return 3
	case "weft": // starts one, says so, and stays
		os.Setenv(roleVariable, "plain")
		if keeper.Available {
			os.Setenv(roleVariable, "stays") // what its end of input does not end
		}
		c := New(Options{Version: func() string { return "v1" }, Environ: os.Environ()})
		f, err := c.Taskfile(context.Background(), &channel.TaskfileRequest{URL: "pid"})
		if err != nil {
			return 1
		}
		fmt.Println(f.Name)
		time.Sleep(time.Hour)
	}
	version := "v1"
	if role == "old" {
		version = "v0"
	}
	if err := channel.Serve(context.Background(), os.Stdin, os.Stdout, channel.Hello{Version: version}, h); err != nil {
		return 1
	}
	if role == "stays" {
		time.Sleep(time.Hour)
	}
	return 0
}

// rig answers a request according to its URL.
type rig struct{ role string }

func (*rig) Hello(channel.Hello) {}

func (*rig) Conform(context.Context, *channel.ConformRequest) (*channel.Verdict, error) {
	return &channel.Verdict{Problem: "odd"}, nil
}

func (r *rig) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	switch {
	case q.URL == "pid":
		return &channel.Taskfile{Name: strconv.Itoa(os.Getpid())}, nil
	case q.URL == "env":
		return &channel.Taskfile{Name: os.Getenv("MARK")}, nil
	case q.URL == "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case q.URL == "die":
		os.Exit(7)
	case strings.HasPrefix(q.URL, "die once "):
		f, err := os.OpenFile(q.URL[len("die once "):], os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			os.Exit(7)
		}
	}
	return &channel.Taskfile{Name: q.URL}, nil
}

// playing returns a Companion whose program plays a role.
func playing(t *testing.T, name string, environ ...string) *Companion {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	environ = append(os.Environ(), append(environ, Variable+"="+self, roleVariable+"="+name)...)
	c := New(Options{Version: func() string { return "v1" }, Environ: environ})
	t.Cleanup(c.Close)
	return c
}

func ask(t *testing.T, c *Companion, url string) string {
	t.Helper()
	f, err := c.Taskfile(t.Context(), &channel.TaskfileRequest{URL: url})
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return f.Name
}

// unavailable fails unless err is an UnavailableError with these texts.
func unavailable(t *testing.T, err error, texts ...string) {
	t.Helper()
	var u *UnavailableError
	if !errors.As(err, &u) {
		t.Fatalf("got %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(u.Error(), text) {
			t.Errorf("%q lacks %q", u.Error(), text)
		}
	}
}

func TestOneProgramForAll(t *testing.T) {
	c := playing(t, "plain", "MARK=here")
	pids := make(chan string, 20)
	var wg sync.WaitGroup
	for range cap(pids) {
		wg.Go(func() {
			f, err := c.Taskfile(context.Background(), &channel.TaskfileRequest{URL: "pid"})
			if err != nil {
				t.Error(err)
				return
			}
			pids <- f.Name
		})
	}
	wg.Wait()
	close(pids)
	if v, err := c.Conform(t.Context(), &channel.ConformRequest{}); err != nil || v.Problem != "odd" {
		t.Errorf("a message: %v, %v", v, err)
	}
	pid := ask(t, c, "pid")
	for p := range pids {
		if p != pid {
			t.Errorf("programs %s and %s were asked", p, pid)
		}
	}
	if got := ask(t, c, "env"); got != "here" {
		t.Errorf("MARK is %q there", got)
	}
	c.Close()
	gone(t, pid)
	_, err := c.Taskfile(t.Context(), &channel.TaskfileRequest{})
	unavailable(t, err, "the run is over")
}

// gone fails unless the process ends soon.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(n)
	if err != nil || runtime.GOOS == "windows" {
		return
	}
	for end := time.Now().Add(time.Minute); p.Signal(syscall.Signal(0)) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %s still runs", pid)
		}
	}
}

func TestUnusedStartsNothing(t *testing.T) {
	c := New(Options{Version: func() string { return "v1" }, Environ: []string{Variable + "=/nowhere"}})
	c.Close()
	c.Close()
}

func TestStartedAgainOnce(t *testing.T) {
	c := playing(t, "plain")
	pid := ask(t, c, "pid")
	once := filepath.Join(t.TempDir(), "once")
	if got := ask(t, c, "die once "+once); !strings.HasPrefix(got, "die once") {
		t.Errorf("got %q", got)
	}
	if again := ask(t, c, "pid"); again == pid {
		t.Error("the dead program answers")
	}
	for range 2 { // the same is said to all
		_, err := c.Taskfile(t.Context(), &channel.TaskfileRequest{URL: "die"})
		unavailable(t, err, "crashed again after a restart: ", "exit status 7: please report this")
	}
}

// TestKilledMidway: every open request is answered by the next program.
func TestKilledMidway(t *testing.T) {
	c := playing(t, "plain")
	pid, _ := strconv.Atoi(ask(t, c, "pid"))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := c.Taskfile(ctx, &channel.TaskfileRequest{URL: "wait"}); err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for ask(t, c, "pid") == strconv.Itoa(pid) {
	}
	cancel()
	wg.Wait()
}

func TestNoneOfOurs(t *testing.T) {
	for name, text := range map[string]string{
		"old":         "version v0, and weft v1",
		"garbage":     "violates the protocol",
		"short-lived": "exit status 3",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := playing(t, name).Taskfile(t.Context(), &channel.TaskfileRequest{})
			unavailable(t, err, text)
		})
	}
}

// TestCancelled: a program that does not answer does not delay a cancelled request, and is killed
// by Close.
func TestCancelled(t *testing.T) {
	for _, name := range []string{"silent", "deaf"} {
		t.Run(name, func(t *testing.T) {
			c := playing(t, name)
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if _, err := c.Taskfile(ctx, &channel.TaskfileRequest{}); err != cause {
						t.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestCloseKills(t *testing.T) {
	c := playing(t, "stays")
	pid := ask(t, c, "pid")
	c.Close()
	gone(t, pid)
}

// TestWeftKilled: the program does not outlive a killed weft.
func TestWeftKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	weft := exec.Command(self)
	weft.Env = append(os.Environ(), Variable+"="+self, roleVariable+"=weft")
	out, err := weft.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := weft.Start(); err != nil {
		t.Fatal(err)
	}
	pid, err := bufio.NewReader(out).ReadString('\n')
	weft.Process.Kill()
	if err != nil {
		t.Fatal(err)
	}
	gone(t, strings.TrimSpace(pid))
	weft.Wait()
}

func TestFindBeside(t *testing.T) {
	root := t.TempDir()
	self := filepath.Join(root, "bin", "weft")
	beside := filepath.Join(root, "bin", Name+extension())
	libexec := filepath.Join(root, "libexec", "weft", Name+extension())
	_, err := findBeside(self, "v1.2.3")
	unavailable(t, err, "weft-companion is not installed next to weft: go install github.com/weftrun/weft/cmd/...@v1.2.3")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	_, err = findBeside(self, "devel")
	unavailable(t, err, "/cmd/...@latest")
	for _, want := range []string{libexec, beside} {
		if err := os.MkdirAll(filepath.Dir(want), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(want, nil, 0o777); err != nil {
			t.Fatal(err)
		}
		if got, err := findBeside(self, "v1"); got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	os.Chmod(beside, 0o644)
	if got, err := findBeside(self, "v1"); got != libexec {
		t.Errorf("got %q, %v", got, err)
	}
	os.Remove(libexec)
	_, err = findBeside(self, "v1")
	unavailable(t, err, "is not executable")
	os.Remove(beside)
	os.Mkdir(beside, 0o777)
	_, err = findBeside(self, "v1")
	unavailable(t, err, "is not a file")
}

// TestNeverByPath: neither PATH nor the working directory is searched.
func TestNeverByPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Name+extension()), []byte("#!/bin/sh\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	_, err := Find(os.Environ(), "v1")
	unavailable(t, err, "not installed")
}

func TestVariable(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ value, want, problem string }{
		{value: self, want: self},
		{value: "weft-companion", problem: "is not absolute"},
		{value: "./weft-companion", problem: "is not absolute"},
		{value: filepath.Join(t.TempDir(), "gone"), problem: "is not usable"},
		{value: filepath.Dir(self), problem: "is not a file"},
	} {
		got, err := Find([]string{Variable + "=", Variable + "=" + c.value}, "v1")
		if c.problem == "" {
			if got != c.want || err != nil {
				t.Errorf("%q: got %q, %v", c.value, got, err)
			}
			continue
		}
		unavailable(t, err, c.problem)
	}
	c := New(Options{Version: func() string { return "v1" }, Environ: []string{Variable + "=" + notAProgram(t)}})
	defer c.Close()
	_, err = c.Taskfile(t.Context(), &channel.TaskfileRequest{})
	unavailable(t, err, "cannot be started")
}

// notAProgram returns the path of a file that is executable and holds nothing
// that can be executed.
func notAProgram(t *testing.T) string {
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%s%s", Name, extension()))
	if err := os.WriteFile(path, []byte("\x7fnothing"), 0o777); err != nil {
		t.Fatal(err)
	}
	return path
}
