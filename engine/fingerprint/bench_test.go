//go:build unix

package fingerprint

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// noop measures a run without work: tasks inputs, each with the given files.
func noop(b *testing.B, inputs []Inputs, root string) {
	dir := filepath.Join(root, ".weft")
	round := func() (fresh int) {
		s := state.Open(placeOf(dir), state.Options{})
		defer s.Close()
		checker := New(s, glob.NewTree(nil), nil)
		for i := range inputs {
			c, err := checker.Check(context.Background(), &inputs[i])
			if err != nil {
				b.Fatal(err)
			}
			if c.Fresh {
				fresh++
				continue
			}
			c.Begin()
			if err := c.Commit(context.Background(), nil); err != nil {
				b.Fatal(err)
			}
		}
		return fresh
	}
	round()
	p := &project{t: b, root: root}
	p.age()
	round()
	b.ReportAllocs()
	start := processorTime()
	for b.Loop() {
		if n := round(); n != len(inputs) {
			b.Fatalf("%d of %d are fresh", n, len(inputs))
		}
	}
	b.ReportMetric(float64(processorTime()-start)/float64(b.N), "cpu-ns/op")
}

// processorTime is the CPU time of this process: steadier than the clock on a loaded machine.
func processorTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func write(b *testing.B, path string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
		b.Fatal(err)
	}
}

// 1,000 tasks with one source and one output each.
func BenchmarkNoop1000x1(b *testing.B) {
	root := b.TempDir()
	inputs := make([]Inputs, 1000)
	for i := range inputs {
		src, out := fmt.Sprintf("src/s%d", i), fmt.Sprintf("out/o%d", i)
		write(b, filepath.Join(root, src))
		write(b, filepath.Join(root, out))
		inputs[i] = Inputs{Key: src, Root: root, Dir: root, Sources: patterns(src), Generates: patterns(out),
			Fields: []Field{{Name: "command 1", Value: "cp " + src + " " + out}}}
	}
	noop(b, inputs, root)
}

func noopFiles(b *testing.B, per int) {
	root := b.TempDir()
	inputs := make([]Inputs, 10)
	for t := range inputs {
		for i := range per {
			write(b, filepath.Join(root, fmt.Sprintf("src/t%d/d%d/f%d", t, i/100, i)))
		}
		out := fmt.Sprintf("out/t%d", t)
		write(b, filepath.Join(root, out))
		inputs[t] = Inputs{Key: out, Root: root, Dir: root, Sources: patterns(fmt.Sprintf("src/t%d/**/*", t)), Generates: patterns(out)}
	}
	noop(b, inputs, root)
}

// 10 tasks with 1,000 and with 10,000 small files each.
func BenchmarkNoop10x1000(b *testing.B)  { noopFiles(b, 1000) }
func BenchmarkNoop10x10000(b *testing.B) { noopFiles(b, 10000) }

// One check of one task, the state already read; and one Look, which suffices if nothing has
// changed.
func BenchmarkCheck(b *testing.B) {
	checker, in := recorded(b)
	b.ReportAllocs()
	for b.Loop() {
		if c, err := checker.Check(context.Background(), &in); err != nil || !c.Fresh {
			b.Fatal("not fresh")
		}
	}
}

func BenchmarkLook(b *testing.B) {
	checker, in := recorded(b)
	l := checker.QuickCheck()
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, fresh := l.Fresh(&in); !fresh {
			b.Fatal("not fresh")
		}
	}
}

// recorded is a task that is up to date.
func recorded(b *testing.B) (*Checker, Inputs) {
	root := b.TempDir()
	write(b, filepath.Join(root, "s"))
	in := Inputs{Key: "k", Root: root, Dir: root, Sources: patterns("s"), Fields: []Field{{Name: "command 1", Value: "cp s o"}}}
	checker := New(state.Open(placeOf(filepath.Join(root, ".weft")), state.Options{}), glob.NewTree(nil), nil)
	p := &project{t: b, root: root}
	p.age()
	c, err := checker.Check(context.Background(), &in)
	if err == nil {
		err = c.Commit(context.Background(), nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	return checker, in
}

// The success of one task with 100,000 sources of which one has changed.
func BenchmarkCommit100000(b *testing.B) {
	root := b.TempDir()
	changing := filepath.Join(root, "src/d0/f0")
	for i := range 100_000 {
		write(b, filepath.Join(root, fmt.Sprintf("src/d%d/f%d", i/100, i)))
	}
	in := Inputs{Key: "k", Root: root, Dir: root, Sources: patterns("src/**/*")}
	round := 0
	commit := func() {
		round++
		if err := os.WriteFile(changing, fmt.Append(nil, round), 0o644); err != nil {
			b.Fatal(err)
		}
		s := state.Open(placeOf(filepath.Join(root, ".weft")), state.Options{})
		defer s.Close()
		checker := New(s, glob.NewTree(nil), nil)
		c, err := checker.Check(context.Background(), &in)
		if err != nil || c.Fresh {
			b.Fatal("fresh, or ", err)
		}
		c.Why(context.Background())
		c.Begin()
		if err := c.Commit(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
	}
	commit()
	b.ReportAllocs()
	for b.Loop() {
		commit()
	}
}
