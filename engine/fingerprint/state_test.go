package fingerprint

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReadOnly(t *testing.T) {
	p := newProject(t)
	p.o.ReadOnly = true
	s := p.store()
	c := p.check(s)
	c.Begin()
	p.must(c.Commit(t.Context(), nil))
	c.Discard()
	s.Close()
	if _, err := os.Lstat(p.path(".weft")); err == nil {
		t.Error("something was written")
	}
	p.o.ReadOnly = false
	p.run()
	before, err := os.ReadFile(p.path(".weft/state"))
	p.must(err)
	p.o.ReadOnly = true
	if c := p.check(p.store()); !c.Fresh {
		t.Errorf("not fresh: %v", c.Why(t.Context()))
	}
	after, err := os.ReadFile(p.path(".weft/state"))
	p.must(err)
	if !bytes.Equal(before, after) {
		t.Error("the state was written")
	}
}

// The body of a record with many files is read only when it is needed.
func TestManyFiles(t *testing.T) {
	p := newProject(t)
	for i := range 400 {
		p.write(strings.Repeat("x", 20)+string(rune('a'+i%26))+"/f"+strings.Repeat("y", i/26)+".c", "")
	}
	p.in.Sources = patterns("**/*.c")
	p.settle()
	p.write("src/a.c", "A")
	if got := p.why(); !strings.HasPrefix(got, "file src/a.c") {
		t.Errorf("why: %s", got)
	}
	p.write("src/a.c", "a")
	p.age()
	if p.run() {
		t.Error("runs though the content is the same")
	}
	bodies, err := os.ReadDir(p.path(".weft/files"))
	p.must(err)
	if len(bodies) != 1 {
		t.Fatalf("%d bodies of one large record", len(bodies))
	}
	p.write(".weft/files/"+bodies[0].Name(), "x")
	if p.run() {
		t.Error("a body that nobody needs is asked for")
	}
	p.write("src/a.c", "A")
	if !p.run() || p.warn != nil {
		t.Error("a lost body is believed, or complained of")
	}
}

// Another process has recorded something between the check and the lock.
func TestChangedBeforeLock(t *testing.T) {
	p := newProject(t)
	one, two := p.store(), p.store()
	a, b := p.check(one), p.check(two)
	unlock, changed, ok := a.TryLock("")
	if !ok || changed {
		t.Fatalf("free: %v, changed: %v", ok, changed)
	}
	if _, _, ok := b.TryLock(""); ok {
		t.Fatal("the lock is free for two")
	}
	a.Begin()
	p.write("out/a", "")
	p.must(a.Commit(t.Context(), nil))
	unlock()
	unlock, changed, ok = b.TryLock("")
	if !ok || !changed {
		t.Fatalf("free: %v, changed: %v", ok, changed)
	}
	defer unlock()
	if c := p.check(two); !c.Fresh {
		t.Errorf("the second did not see what the first has done: %v", c.Why(t.Context()))
	}
}

// A new stat of an unchanged file is recorded at the end, unless another process has begun the work
// meanwhile.
func TestDeferredRecord(t *testing.T) {
	p := newProject(t)
	p.settle()
	one, two := p.store(), p.store()
	p.must(os.Chtimes(p.path("src/a.c"), time.Now(), time.Now()))
	p.age()
	if c := p.check(one); !c.Fresh {
		t.Fatal(c.Why(t.Context()))
	}
	p.check(two).Begin() // and it crashes
	one.Close()
	if c := p.check(p.store()); c.Fresh {
		t.Error("what was invalidated is fresh again")
	}
}

// A secret is recorded as a digest with the secret of the state: it differs between states, so the
// secret cannot be guessed by trial.
func TestSecretsAreSealed(t *testing.T) {
	var texts [2]Digest
	var bodies [2][]byte
	for i := range texts {
		p := newProject(t)
		p.secret = func(text string) bool { return strings.Contains(text, "hunter2") }
		p.in.Fields = append(p.in.Fields, Field{Name: "command 2", Value: "login hunter2"}, Field{Name: "generates hunter2", Value: "x"})
		p.in.Root, p.in.Dir = "/r", "/r/d" // of both
		s := p.store()
		checker := p.checker(s)
		texts[i] = p.in.digest(s.Secret())
		bodies[i] = encodeBody(checker.explained(&p.in), p.in.Root, fileSet{}, fileSet{}, nil)
		if bytes.Contains(bodies[i], []byte("hunter2")) {
			t.Errorf("the secret stands in %q", bodies[i])
		}
		if again := p.store(); again.Secret() != s.Secret() {
			t.Error("another secret of the same state")
		}
	}
	if texts[0] == texts[1] || bytes.Equal(bodies[0], bodies[1]) {
		t.Error("digests without a secret")
	}
}
