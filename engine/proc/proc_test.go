//go:build unix

package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
	"github.com/weftrun/weft/internal/probe"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("PROC_TEST_ROLE"); role != "" {
		os.Exit(roles(role))
	}
	goleak.VerifyTestMain(m)
}

// newTable returns a table that is closed at the end of the test, with everything it started.
func newTable(t testing.TB, o Options) *Table {
	tab := NewTable(o)
	t.Cleanup(func() { tab.Close(false) })
	return tab
}

// sh starts a script and returns the process and its standard output.
func sh(t testing.TB, g *Group, script string) (*Process, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: os.Environ(), Stdout: w, Stderr: os.Stderr})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return p, bufio.NewReader(r)
}

// line waits for the next line.
func line(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(s, "\n")
}

func TestStatus(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	for script, want := range map[string]Status{
		"exit 0":        {},
		"exit 3":        {Code: 3},
		"exit 255":      {Code: 255},
		"kill -9 $$":    {Code: 137, Signal: syscall.SIGKILL},
		"kill -PIPE $$": {Code: 141, Signal: syscall.SIGPIPE},
	} {
		p, _ := sh(t, g, script)
		got, _ := p.Wait()
		if got.Code != want.Code || got.Signal != want.Signal {
			t.Errorf("%s: got %+v, want %+v", script, got, want)
		}
		if got.Usage.MaxRSS == 0 {
			t.Errorf("%s: no resource usage", script)
		}
	}
}

func TestStartErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	for _, tt := range []struct {
		spec Spec
		want error
		text string
	}{
		{Spec{Path: dir + "/none"}, fs.ErrNotExist, "fork/exec " + dir + "/none: no such file or directory"},
		{Spec{Path: write("plain", "echo\n", 0o644)}, fs.ErrPermission, "permission denied"},
		{Spec{Path: write("noshebang", "echo\n", 0o755)}, syscall.ENOEXEC, "exec format error"},
		{Spec{Path: "/bin/true", Dir: dir + "/gone"}, fs.ErrNotExist, "chdir " + dir + "/gone: no such file or directory"},
	} {
		_, err := g.Run(&tt.spec)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %v, want %v (%s)", tt.spec.Path, err, tt.want, tt.text)
		}
	}
}

// TestTextBusy: a program whose file is open for writing is started once it is closed.
func TestTextBusy(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	for name, run := range map[string]func(s *Spec) (Status, error){
		"run": g.Run,
		"confirmed": func(s *Spec) (Status, error) {
			s.Confirm = true
			p, err := g.Start(s)
			if err != nil {
				return Status{}, err
			}
			return p.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tool")
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString("#!/bin/sh\nexit 7\n")
			time.AfterFunc(5*time.Millisecond, func() { f.Close() })
			if s, err := run(&Spec{Path: path}); s.Code != 7 {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
}

func TestStopIsSticky(t *testing.T) {
	cause := errors.New("interrupted")
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	p, out := sh(t, g, "trap 'echo got; exit 5' INT; echo up; while :; do sleep 0.01; done")
	line(t, out)
	g.Stop(cause, Ladder{Signal: syscall.SIGINT})
	if got := line(t, out); got != "got" {
		t.Errorf("got %q", got)
	}
	if s, _ := p.Wait(); s.Code != 5 {
		t.Errorf("got %+v", s)
	}
	<-g.Done()
	if _, err := g.Start(&Spec{Path: "/bin/true"}); err != cause {
		t.Errorf("after Stop: got %v, want the cause", err)
	}
	g.Stop(errors.New("other"), Ladder{})
	if g.Err() != cause {
		t.Errorf("the cause changed: %v", g.Err())
	}
	c := g.Cleanup()
	p, err := c.Start(&Spec{Path: "/bin/true"})
	if err != nil {
		t.Fatalf("cleanup: %v", err)
	}
	p.Wait()
	g.Close()
	if _, err := c.Start(&Spec{Path: "/bin/true"}); err == nil {
		t.Error("a cleanup outlived its step")
	}
}

// TestLadder: a program that ignores the signal is killed after the grace, not before, and a softer
// stop changes nothing.
func TestLadder(t *testing.T) {
	clock := make(chan time.Time)
	var asked atomic.Int64
	tab := newTable(t, Options{After: func(d time.Duration) <-chan time.Time { asked.Store(int64(d)); return clock }})
	g := tab.NewGroup(GroupOptions{})
	defer g.Close()
	p, out := sh(t, g, "trap 'echo term' TERM; trap 'echo int' INT; echo up; while :; do sleep 0.01; done")
	line(t, out)
	g.Stop(errors.New("x"), Ladder{Signal: syscall.SIGTERM, Grace: 5 * time.Second})
	if got := line(t, out); got != "term" {
		t.Errorf("got %q", got)
	}
	g.Stop(errors.New("y"), Ladder{Signal: syscall.SIGINT})
	clock <- time.Time{}
	if s, _ := p.Wait(); s.Signal != syscall.SIGKILL {
		t.Errorf("got %+v, want killed", s)
	}
	if rest, _ := out.ReadString(0); rest != "" {
		t.Errorf("a softer stop reached it: %q", rest)
	}
	if d := time.Duration(asked.Load()); d != 5*time.Second {
		t.Errorf("grace was %v", d)
	}
}

// TestOwnLadder: a group's own signal and grace override the reason's, even if that has no limit; a
// kill remains a kill.
func TestOwnLadder(t *testing.T) {
	clock := make(chan time.Time)
	var asked atomic.Int64
	tab := newTable(t, Options{After: func(d time.Duration) <-chan time.Time { asked.Store(int64(d)); return clock }})
	g := tab.NewGroup(GroupOptions{Stop: Ladder{Signal: syscall.SIGHUP, Grace: 10 * time.Second}})
	p, out := sh(t, g, "trap 'echo hup' HUP; trap 'echo int' INT; echo up; while :; do sleep 0.01; done")
	line(t, out)
	g.Stop(errors.New("x"), Ladder{Signal: syscall.SIGINT})
	if got := line(t, out); got != "hup" {
		t.Errorf("got %q", got)
	}
	clock <- time.Time{}
	if s, _ := p.Wait(); s.Signal != syscall.SIGKILL {
		t.Errorf("got %+v, want killed", s)
	}
	if d := time.Duration(asked.Load()); d != 10*time.Second {
		t.Errorf("grace was %v", d)
	}
	g.Close()
}

// TestWhatIsLeft: a grandchild in the process group of an ended program survives Close, unless the
// group was stopped, and can be stopped later.
func TestWhatIsLeft(t *testing.T) {
	tab := newTable(t, Options{})
	start := func() (*Group, *bufio.Reader) {
		g := tab.NewGroup(GroupOptions{})
		p, out := sh(t, g, "(echo up; exec sleep 1000) & exit 0")
		p.Wait()
		return g, out
	}
	g, out := start()
	line(t, out)
	g.Close()
	b := tab.NewGroup(GroupOptions{})
	p, bOut := sh(t, b, "echo up; exec sleep 1000")
	line(t, bOut)
	b.Close()
	tab.StopLeftovers(errors.New("interrupted"), Ladder{}) // a grandchild and a child
	out.ReadByte()                                         // the pipe's end is the proof of death
	if s, _ := p.Wait(); s.Signal != syscall.SIGTERM {
		t.Errorf("got %+v", s)
	}

	g, out = start()
	line(t, out)
	g.Stop(errors.New("x"), Ladder{Signal: syscall.SIGCONT})
	g.Close()
	if _, err := out.ReadByte(); err == nil {
		t.Error("output after Close")
	}
}

// TestOneProcessGroup: programs running together share a process group, and a
// new one is opened once all were reaped.
func TestOneProcessGroup(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	a, outA := sh(t, g, "echo up; exec sleep 1000")
	b, outB := sh(t, g, "echo up; exec sleep 1000")
	line(t, outA)
	line(t, outB)
	if a.pgid != a.pid || b.pgid != a.pid {
		t.Errorf("groups %d and %d of %d", a.pgid, b.pgid, a.pid)
	}
	g.Kill(errors.New("x"))
	a.Wait()
	b.Wait()
}

// TestManyAtOnce: above a few children, no thread waits for each.
func TestManyAtOnce(t *testing.T) {
	tab := newTable(t, Options{})
	var groups []*Group
	var wg sync.WaitGroup
	for range 60 {
		g := tab.NewGroup(GroupOptions{})
		groups = append(groups, g)
		p, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if s, _ := p.Wait(); s.Signal != syscall.SIGKILL {
				t.Errorf("got %+v", s)
			}
		})
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err == nil && len(threads) > 40 {
		t.Errorf("%d threads for 60 children", len(threads))
	}
	for _, g := range groups {
		g.Kill(errors.New("x"))
	}
	wg.Wait()
	if n := len(tab.groups()); n != 0 {
		t.Errorf("%d groups still in the table", n)
	}
}

func TestNewGroupIsCheap(t *testing.T) {
	tab := newTable(t, Options{})
	if n := testing.AllocsPerRun(100, func() { tab.NewGroup(GroupOptions{Name: "x"}) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkStart runs programs, as a run of short steps does.
func BenchmarkStart(b *testing.B) {
	tab := newTable(b, Options{})
	env := os.Environ()
	path := probe.TrueProgram()
	benchmarkStart(b, func() error {
		g := tab.NewGroup(GroupOptions{})
		defer g.Close()
		p, err := g.Start(&Spec{Path: path, Env: env})
		if err != nil {
			return err
		}
		_, err = p.Wait()
		return err
	})
}

// BenchmarkForkExec runs the same programs with package os/exec's mechanism, for comparison: the
// difference to BenchmarkStart is the cost of KEEPER less the gain of its own clone.
func BenchmarkForkExec(b *testing.B) {
	env := os.Environ()
	path := probe.TrueProgram()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := null.Fd()
	benchmarkStart(b, func() error {
		attr := syscall.ProcAttr{Env: env, Files: []uintptr{fd, fd, fd}, Sys: &syscall.SysProcAttr{Setpgid: true}}
		pid, err := syscall.ForkExec(path, []string{path}, &attr)
		if err != nil {
			return err
		}
		for {
			if _, err = syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				return err
			}
		}
	})
}

// benchmarkStart calls run from three goroutines.
func benchmarkStart(b *testing.B, run func() error) {
	b.ReportAllocs()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for n.Add(1) <= int64(b.N) {
				if err := run(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkNewGroup(b *testing.B) {
	tab := newTable(b, Options{})
	b.ReportAllocs()
	for b.Loop() {
		tab.NewGroup(GroupOptions{Name: "x"}).Close()
	}
}

func TestJobserver(t *testing.T) {
	for flags, want := range map[string][]int{
		"": nil, "-j4": nil, " -j4 --jobserver-auth=3,4": {3, 4}, "--jobserver-fds=7,5 -j": {5, 7},
		"--jobserver-auth=fifo:/tmp/x": nil, "--jobserver-auth=-2,-2": nil,
	} {
		if got := jobserver(flags); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", flags, got, want)
		}
	}
}

// TestDescriptors: a child does not inherit descriptors that weft was started with.
func TestDescriptors(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil { // as if inherited
		t.Fatal(err)
	}
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	p, out := sh(t, g, fmt.Sprintf("[ -e /proc/$$/fd/%d ] && echo leaked || echo closed; [ -e /proc/$$/fd/2 ] && echo has 2", f.Fd()))
	if got := line(t, out) + ", " + line(t, out); got != "closed, has 2" {
		t.Error(got)
	}
	p.Wait()
}

// TestFurther: a program gets files at the requested descriptor numbers, whatever the numbers of
// the files, and no others.
func TestFurther(t *testing.T) {
	g := newTable(t, Options{}).NewGroup(GroupOptions{})
	defer g.Close()
	file := func(text string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := f.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
		f.Seek(0, 0)
		return f
	}
	run := func(extra []string, further ...Descriptor) string {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		status, err := g.Run(&Spec{Path: "/bin/bash", Argv: []string{"bash", "-c", `for n in {3..24}; do [ -e /proc/$$/fd/$n ] && read -u $n && printf '%s=%s ' $n "$REPLY"; done; echo .`},
			Env: os.Environ(), Extra: extra, Stdout: w, Stderr: os.Stderr, Descriptors: further})
		w.Close()
		if err != nil || status.Code != 0 {
			t.Fatal(status, err)
		}
		return line(t, bufio.NewReader(r))
	}
	if got := run(nil, Descriptor{9, file("nine")}, Descriptor{3, file("three")}); got != "3=three 9=nine ." {
		t.Errorf("two: %s", got)
	}
	g.t.Inherit([]Descriptor{{9, file("for all")}, {20, file("twenty")}})
	if got := run(nil, Descriptor{9, file("nine")}) + run(nil); got != "9=nine 20=twenty .9=for all ." {
		t.Errorf("with those of all programs: %s", got)
	}
	g.t.Inherit(nil)
	// More than there is room for below the files of the other side, backwards, with
	// texts that do not fit into a message.
	var all []Descriptor
	want := "."
	for n := keeper.MaxDescriptors + 2; n > 2; n-- {
		all = append(all, Descriptor{n, file(fmt.Sprint("f", n))})
		want = fmt.Sprintf("%d=f%d %s", n, n, want)
	}
	if got := run([]string{"LONG=" + strings.Repeat("x", 100<<10), "LONG2=" + strings.Repeat("x", 100<<10)}, all...); got != want {
		t.Errorf("all: %s", got)
	}
	for _, bad := range [][]Descriptor{{{2, all[0].File}}, append(all, Descriptor{30, all[0].File})} {
		if _, err := g.Start(&Spec{Path: "/bin/true", Descriptors: bad}); err == nil {
			t.Errorf("started with %v", bad)
		}
	}
}
