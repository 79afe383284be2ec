//go:build amd64 || arm64

package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestTwoTables: the loss of one table's KEEPER does not affect the other.
func TestTwoTables(t *testing.T) {
	for _, first := range []bool{true, false} {
		older, newer := newTable(t, Options{}), newTable(t, Options{})
		kept, lost := older, newer
		if first {
			kept, lost = newer, older
		}
		start := func(tab *Table) *Process {
			p, out := sh(t, tab.NewGroup(GroupOptions{}), "echo up; exec sleep 1000")
			line(t, out)
			return p
		}
		a := start(older)
		b := start(newer)
		if first {
			a, b = b, a
		}
		if err := syscall.Kill(lost.host.(*link).pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Wait(); !errors.Is(err, ErrKeeperLost) {
			t.Errorf("a program of the lost KEEPER ended with %v", err)
		}
		if status, err := kept.NewGroup(GroupOptions{}).Run(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "exit 3"}}); err != nil || status.Code != 3 {
			t.Errorf("the other starts programs with %v, %v", status, err)
		}
		a.g.Kill(errors.New("over"))
		if status, err := a.Wait(); err != nil || status.Signal != syscall.SIGKILL {
			t.Errorf("its program ended with %v, %v", status, err)
		}
	}
}

// TestLossDuringStart: KEEPER is lost after a start has begun, and before its request is sent.
func TestLossDuringStart(t *testing.T) {
	tab := newTable(t, Options{})
	first, out := sh(t, tab.NewGroup(GroupOptions{}), "echo up; exec sleep 1000")
	line(t, out)
	l := tab.host.(*link)
	l.send.Lock() // no request is sent
	type result struct {
		p   *Process
		err error
	}
	started := make(chan result)
	go func() {
		p, err := tab.NewGroup(GroupOptions{}).Start(&Spec{Path: "/bin/true"})
		started <- result{p, err}
	}()
	has := func(done func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			l.mu.Lock()
			ok := done()
			l.mu.Unlock()
			switch {
			case ok:
				return
			case time.Now().After(end):
				l.send.Unlock()
				t.Fatal("never")
			}
		}
	}
	has(func() bool { return len(l.procs) == 2 })
	if err := syscall.Kill(l.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	has(func() bool { return l.lost != nil })
	l.send.Unlock()
	r := <-started
	if r.err == nil {
		_, r.err = r.p.Wait()
	}
	if !errors.Is(r.err, ErrKeeperLost) {
		t.Errorf("the program ended with %v", r.err)
	}
	if _, err := first.Wait(); !errors.Is(err, ErrKeeperLost) {
		t.Errorf("the one before ended with %v", err)
	}
	<-l.done
	if n := len(tab.groups()); n > 0 {
		t.Errorf("%d groups are left", n)
	}
}

// TestReaperAndKeepers: the reaper of orphans does not reap a KEEPER.
func TestReaperAndKeepers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "PROC_TEST_ROLE=reaper")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "over\n" {
		t.Errorf("got %q, %v", out, err)
	}
}
