//go:build amd64 || arm64

package proc

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestTwoTables: the loss of one table's KEEPER takes nothing from the other.
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

// TestReaperAndKeepers: who reaps what others left takes no KEEPER for that.
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
