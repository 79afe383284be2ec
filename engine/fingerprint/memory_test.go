package fingerprint

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/weftrun/weft/internal/xxh3"
)

// TestMemory: what a first check of many sources allocates, its explanation, and the record of its
// success. They do not encode all files at once to hash them, and read no file twice.
func TestMemory(t *testing.T) {
	const files, most = 1000, 1200 // bytes of each file, with those that do not depend on their number
	p := newProject(t)
	for i := range files {
		p.write(fmt.Sprintf("many/f%d", i), "text")
	}
	p.in.Sources = patterns("many/**/*")
	s := p.store()
	defer s.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := p.check(s)
	if c.Fresh || len(c.Why(t.Context())) != 1 {
		t.Fatal("fresh, or not for one reason")
	}
	c.Begin()
	p.must(c.Commit(t.Context(), nil))
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / files; each > most {
		t.Errorf("%d bytes are allocated of each file, at most %d are allowed", each, most)
	}
}

// TestForget: what a check keeps while the commands run does not include the sources at the last
// success, and suffices.
func TestForget(t *testing.T) {
	const files = 1000
	p := newProject(t)
	for i := range files {
		p.write(fmt.Sprintf("many/f%d", i), "text")
	}
	p.in.Sources = patterns("many/*")
	p.settle()
	p.write("many/f7", "other text")
	s := p.store()
	defer s.Close()
	c := p.check(s)
	if c.Fresh || len(c.Why(t.Context())) != 1 || len(c.old.sources) != files {
		t.Fatal("fresh, or without the record of the last success")
	}
	c.Forget()
	if c.old.sources != nil {
		t.Error("the record of the last success is kept")
	}
	c.Begin()
	p.must(c.Commit(t.Context(), nil))
	p.age()
	if p.run() {
		t.Error("it is not up to date after its success")
	}
}

// TestPieces: hashed by pieces, an encoding has the hash that it has as a whole.
func TestPieces(t *testing.T) {
	p := newProject(t)
	for i := range 300 {
		p.write(fmt.Sprintf("src/many/f%d.c", i), "text")
	}
	s := p.store()
	defer s.Close()
	files := p.check(s).sources.files
	for _, n := range []int{0, 1, 50, 150, len(files)} {
		var whole []byte
		e := fileEncoder{root: p.root}
		for _, f := range files[:n] {
			whole = e.append(whole, f)
		}
		if got, want := statsOf(p.root, files[:n]), statSum(xxh3.Hash128(whole).Bytes()); got != want {
			t.Errorf("%d files, %d bytes: %x, not %x", n, len(whole), got, want)
		}
	}
}
