//go:build unix

package heap

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// object is what the tests fill the heap with.
type object [1 << 10]byte

// fill lets the heap grow by n bytes and returns what it holds.
func fill(n int) []*object {
	all := make([]*object, n/len(object{}))
	for i := range all {
		all[i] = &object{1}
	}
	return all
}

// mode is the environment variable with the name of the program that this test binary is.
const mode = "WEFT_TEST_HEAP"

// programs are processes with a heap of their own.
var programs = map[string]func(){
	"grow, expected": func() { Expect(24 << 20); fill(24 << 20) },
	"grow":           func() { fill(24 << 20) },
	"collections, expected": func() {
		Tune()
		Expect(30 << 20)
		Expect(30 << 20)
		fmt.Print(collections(36 << 20))
	},
	"collections": func() { Tune(); fmt.Print(collections(36 << 20)) },
	"collections, watching": func() {
		Tune()
		TuneForWatching()
		Expect(60 << 20)
		fmt.Print(collections(36 << 20))
	},
}

func TestMain(m *testing.M) {
	if program, ok := programs[os.Getenv(mode)]; ok {
		program()
		return
	}
	os.Exit(m.Run())
}

// run runs a program, and returns its output and the number of its page faults.
func run(tb testing.TB, name string) (out string, faults int64) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mode+"="+name)
	text, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", name, err, text)
	}
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		faults = int64(use.Minflt)
	}
	return string(text), faults
}

// collections lets the heap grow by n bytes and returns how often it was collected, "none" or "some".
func collections(n int) string {
	all := fill(n)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(all)
	if m.NumGC == 0 {
		return "none"
	}
	return "some"
}

// TestCollections: a heap that grows as expected is not collected, unless weft watches.
func TestCollections(t *testing.T) {
	for name, want := range map[string]string{"collections": "some", "collections, expected": "none", "collections, watching": "some"} {
		if got, _ := run(t, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestExpectSmall: a small growth is not prepared.
func TestExpectSmall(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() { Expect(least - 1) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestLive: a finalizer that comes late knows what was left.
func TestLive(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		alloc, next, percent uint64 // in MiB, and percent
		want                 uint64
	}{
		{"at once", 4, 36, 800, 4},
		{"late", 30, 36, 800, 4},
		{"small", 1, 32, 800, 1},
		{"at the limit", 300, 390, 100, 300},
	} {
		m := runtime.MemStats{HeapAlloc: tt.alloc << 20, NextGC: tt.next << 20}
		if got := live(&m, tt.percent); got != tt.want<<20 {
			t.Errorf("%s: %d bytes, want %d", tt.name, got, tt.want<<20)
		}
	}
}

// BenchmarkExpect measures a process whose heap grows by 24 MiB, with and without Expect.
func BenchmarkExpect(b *testing.B) {
	for _, name := range []string{"grow", "grow, expected"} {
		b.Run(name, func(b *testing.B) {
			sum := int64(0)
			for b.Loop() {
				_, faults := run(b, name)
				sum += faults
			}
			b.ReportMetric(float64(sum)/float64(b.N), "faults/op")
		})
	}
}
