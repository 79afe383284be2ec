//go:build amd64 || arm64

package keeper

import (
	"os/exec"
	"slices"
	"testing"
)

// TestScan: without the kernel's lists of children the same children are found.
func TestScan(t *testing.T) {
	for range 3 {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	}
	find := func(scans bool) []int32 {
		w := walk{text: make([]byte, scratch), dirents: make([]byte, 8<<10), scans: scans}
		w.childrenOf(0)
		if w.scans != scans {
			t.Skip("this kernel has no lists of children")
		}
		slices.Sort(w.pids)
		return w.pids
	}
	lists, scan := find(false), find(true)
	if len(lists) != 3 || !slices.Equal(lists, scan) {
		t.Errorf("lists: %d; scan: %d", lists, scan)
	}
}
