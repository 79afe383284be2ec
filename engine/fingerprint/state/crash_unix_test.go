//go:build unix

package state

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/weftrun/weft/internal/statefile"
)

// A full disk: nothing is recorded, the old record is invalid, nothing fails.
func TestDiskFull(t *testing.T) {
	const child = "WEFT_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		// The limit applies to the whole process: the test runs in its own.
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r := newRig(t)
	r.succeed("k", "head", "")
	s := r.open()
	s.Remove(KeyOf("1", "k"))
	var old syscall.Rlimit
	r.must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	limit := old
	assign(&limit.Cur, int64(len(r.read("state")))) // writing in place still works
	r.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	s.Put(KeyOf("1", "k"), []byte("head"), nil)
	r.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
	if len(r.warnings) != 1 {
		t.Errorf("warnings: %q", r.warnings)
	}
	if _, _, ok := r.get("k"); ok {
		t.Error("the failed write is believed")
	}
	r.succeed("k", "head", "")
	if _, _, ok := r.get("k"); !ok {
		t.Error("does not recover")
	}
}

// assign sets a number that has a sign on some systems only.
func assign[T int64 | uint64](to *T, n int64) { *to = T(n) }

// kill -9 while records are written: the state is readable, and everything recorded had succeeded.
func TestKill(t *testing.T) {
	const child = "WEFT_TEST_KILL"
	open := func(dir string) *Store { return Open(statefile.Place{Base: dir, Path: ".weft"}, Options{}) }
	if dir := os.Getenv(child); dir != "" {
		s := open(dir)
		for i := 0; ; i++ {
			k := Key{byte(i % 50)}
			s.Remove(k)
			s.Put(k, binary.LittleEndian.AppendUint64(nil, uint64(i)), bytes.Repeat([]byte{byte(i)}, i%500))
			if i == 200 {
				os.Stdout.WriteString("on\n")
			}
		}
	}
	dir := t.TempDir()
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), child+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 1))
		cmd.Process.Kill()
		cmd.Wait()
		s := open(dir)
		s.Read()
		if s.log.damaged || len(s.log.live) < 48 {
			t.Fatalf("%d of 50 records are left, damaged: %v", len(s.log.live), s.log.damaged)
		}
		for k := range s.log.live {
			r, ok := s.Get(k)
			if !ok || len(r.Head) != 8 {
				t.Fatalf("record %v: %v, %q", k, ok, r.Head)
			}
			i := binary.LittleEndian.Uint64(r.Head)
			if byte(i%50) != k[0] || !bytes.Equal(s.Body(k, r), bytes.Repeat([]byte{byte(i)}, int(i%500))) {
				t.Fatalf("record %v is of %d", k, i)
			}
		}
	}
}
