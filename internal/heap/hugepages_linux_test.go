//go:build linux && (amd64 || arm64)

package heap

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestHugePages: what is allocated after Expect has the advice for huge pages, also beyond the first
// region, and Expect itself uses no memory.
func TestHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil || most == 0 {
		t.Skip("there are no huge pages here")
	}
	before := resident(t)
	Expect(2 * region)
	if grown := resident(t) - before; grown > 8<<20 {
		t.Errorf("Expect uses %d bytes", grown)
	}
	for part, all := range [][]*object{fill(region * 3 / 4), fill(region * 3 / 4)} {
		last := all[len(all)-1]
		if flags := flagsOf(t, uintptr(unsafe.Pointer(last))); !strings.Contains(flags, " hg") {
			t.Errorf("part %d: an object at %p is in memory with the flags%s, want hg among them", part, last, flags)
		}
	}
}

// resident returns the size of this process in memory, in bytes.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// flagsOf returns the flags of the mapping that contains address, from smaps, each after a space.
func flagsOf(t *testing.T, address uintptr) string {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var start, end uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &start, &end); n == 2 {
			in = start <= address && address < end
		} else if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && in {
			return flags
		}
	}
	t.Fatalf("no mapping contains %#x", address)
	return ""
}
