//go:build linux && (amd64 || arm64)

package heap

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
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

// TestLimit: a process that may not map much more has the memory for itself.
func TestLimit(t *testing.T) {
	defer func(old syscall.Rlimit) { syscall.Setrlimit(syscall.RLIMIT_AS, &old) }(limitOf(t))
	size := mapped(t)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: uint64(size + region + spare/2), Max: limitOf(t).Max}); err != nil {
		t.Fatal(err)
	}
	Expect(region)
	if grown := mapped(t) - size; grown > region/2 {
		t.Errorf("Expect maps %d bytes", grown)
	}
}

func limitOf(t *testing.T) (l syscall.Rlimit) {
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// mapped returns the size of the address space in use, in bytes.
func mapped(t *testing.T) int { size, _ := sizes(t); return size }

// resident returns the size of this process in memory, in bytes.
func resident(t *testing.T) int { _, size := sizes(t); return size }

// sizes returns the size of the address space in use and what of it is in memory, in bytes.
func sizes(t *testing.T) (all, resident int) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &all, &resident); err != nil {
		t.Fatal(err)
	}
	return all * os.Getpagesize(), resident * os.Getpagesize()
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
