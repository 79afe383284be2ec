package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSlowReader: a reader that begins to read only when all pipes are full gets the complete
// output, in each mode, and weft does not buffer without limit.
func TestSlowReader(t *testing.T) {
	const lines, width, maxRSS = 400_000, 100, 64 << 20
	dir := t.TempDir()
	var data bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&data, "%-*d\n", width-1, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\ntasks: {a: cat data}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"interleaved", "group", "prefixed"} {
		t.Run(mode, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.Command("weft", "-s", "-o", mode, "a")
			cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, w, os.Stderr, append(os.Environ(), "NO_COLOR=1")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			untilFull(t, r)
			rss := peak(t, cmd.Process.Pid)
			got, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if mode == "prefixed" {
				got = bytes.ReplaceAll(got, []byte("[a] "), nil)
			}
			if !bytes.Equal(got, data.Bytes()) {
				t.Errorf("%d of %d bytes arrived, or others", len(got), data.Len())
			}
			if rss > maxRSS {
				t.Errorf("it took %d MiB of memory", rss>>20)
			}
		})
	}
}

// peak returns the maximum resident memory of a process, in bytes.
func peak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(line, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// untilFull waits until a pipe is full.
func untilFull(t *testing.T, r *os.File) {
	t.Helper()
	size, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		if n > size-4096 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("only %d bytes came", n)
		}
		time.Sleep(time.Millisecond) // a full pipe does not notify its reader
	}
}
