//go:build unix

package fingerprint

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Whatever happens to the state file: never an error, never fresh where a
// success is not known to be the last thing that happened.
func TestDamagedState(t *testing.T) {
	whole := func(p *project) []byte {
		b, err := os.ReadFile(p.path(".weft/state"))
		p.must(err)
		return b
	}
	for _, tt := range []struct {
		name   string
		damage func(*project)
		warns  bool
	}{
		{"empty", func(p *project) { p.write(".weft/state", "") }, false},
		{"other version", func(p *project) { p.write(".weft/state", "weft state 9\n"+string(whole(p)[13:])) }, true},
		{"truncated", func(p *project) { b := whole(p); p.write(".weft/state", string(b[:len(b)-1])) }, false},
		{"only the head", func(p *project) { p.write(".weft/state", string(whole(p)[:logHead+7])) }, false},
		{"flipped bit", func(p *project) { b := whole(p); b[len(b)/2] ^= 1; p.write(".weft/state", string(b)) }, true},
		{"length of nonsense", func(p *project) {
			b := whole(p)
			copy(b[logHead+1:], "\xff\xff\xff\xff")
			p.write(".weft/state", string(b))
		}, false},
		{"zeros after a crash", func(p *project) {
			b := whole(p)
			for i := logHead; i < len(b); i++ {
				b[i] = 0
			}
			p.write(".weft/state", string(b))
		}, false},
		{"a directory", func(p *project) {
			p.must(os.Remove(p.path(".weft/state")))
			p.must(os.Mkdir(p.path(".weft/state"), 0o755))
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProject(t)
			p.run()
			tt.damage(p)
			if !p.run() {
				t.Error("believed")
			}
			if (p.warn != nil) != tt.warns {
				t.Errorf("warnings: %q", p.warn)
			}
			if tt.name != "a directory" && p.run() {
				t.Error("does not recover")
			}
		})
	}
}

// What a crash left at the end of the file does not hide what comes later.
func TestTornTail(t *testing.T) {
	p := newProject(t)
	p.run()
	f, err := os.OpenFile(p.path(".weft/state"), os.O_APPEND|os.O_WRONLY, 0)
	p.must(err)
	f.Write(appendRecord(nil, id{1}, 0, make([]byte, 500))[:300])
	f.Close()
	p.in.Key = "other"
	p.run()
	for _, key := range []string{"build", "other"} {
		p.in.Key = key
		if p.run() {
			t.Errorf("%s is forgotten", key)
		}
	}
}

// Bodies of large entries stand in files of their own.
func TestLargeEntries(t *testing.T) {
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
	bodies, _ := filepath.Glob(p.path(".weft/files/*"))
	if len(bodies) != 1 {
		t.Fatalf("%d bodies of one large entry", len(bodies))
	}
	for _, b := range bodies {
		p.must(os.WriteFile(b, []byte("x"), 0o644))
	}
	if p.run() {
		t.Error("a body that nobody needs is asked for")
	}
	p.write("src/a.c", "A")
	if !p.run() || p.warn != nil {
		t.Error("a lost body is believed, or complained of")
	}
}

func TestUnwritable(t *testing.T) {
	if os.Getuid() == 0 {
		// Root may write everywhere, so only the other half can be seen.
		p := newProject(t)
		p.write(".weft", "a file where the directory should be")
		if first, second := p.run(), p.run(); !first || !second {
			t.Error("fresh without state")
		}
		if len(p.warn) != 2 { // one for each process
			t.Errorf("warnings: %q", p.warn)
		}
		return
	}
	p := newProject(t)
	p.settle()
	p.must(os.Chmod(p.path(".weft"), 0o555))
	defer os.Chmod(p.path(".weft"), 0o755)
	if first, second := p.run(), p.run(); !first || !second {
		t.Error("fresh, though nothing could make it void")
	}
	if len(p.warn) != 2 {
		t.Errorf("warnings: %q", p.warn)
	}
}

// A full disk: nothing is recorded, what was is void, nothing fails.
func TestDiskFull(t *testing.T) {
	const child = "WEFT_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		// The limit is the whole process's: the test runs in one of its own.
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	p := newProject(t)
	p.settle()
	s := p.store()
	p.write("src/a.c", "A")
	c := p.check(s)
	c.Begin()
	var old syscall.Rlimit
	p.must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	st, err := os.Stat(p.path(".weft/state"))
	p.must(err)
	limit := old
	assign(&limit.Cur, st.Size()) // writing in place still works
	p.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	err = c.Commit(t.Context(), nil)
	p.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old))
	p.must(err)
	if len(p.warn) != 1 {
		t.Errorf("warnings: %q", p.warn)
	}
	if !p.run() || p.run() {
		t.Error("the failed write is believed, or the next one is not")
	}
}

// assign sets a number that has a sign on some systems only.
func assign[T int64 | uint64](to *T, n int64) { *to = T(n) }

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
	if b, _ := os.ReadFile(p.path(".weft/.gitignore")); string(b) != "*\n" {
		t.Errorf(".gitignore: %q", b)
	}
}

// Two processes at once, each with its own store.
func TestTwoProcesses(t *testing.T) {
	p := newProject(t)
	one, two := p.store(), p.store()
	a, b := p.check(one), p.check(two)
	unlock, _, ok := a.TryLock("")
	if !ok {
		t.Fatal("the lock is not free")
	}
	if _, _, ok := b.TryLock(""); ok {
		t.Fatal("the lock is free for two")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	if _, err := b.Lock(ctx, "", nil); err == nil {
		t.Fatal("two locks")
	}
	cancel()
	var told atomic.Pointer[string]
	done := make(chan bool)
	go func() {
		unlock, err := b.Lock(t.Context(), "", func(holder string) { told.Store(&holder) })
		if err != nil {
			t.Error(err)
		}
		again := p.check(two)
		unlock()
		done <- again.Fresh
	}()
	a.Begin()
	p.write("out/a", "")
	for deadline := time.Now().Add(10 * time.Second); told.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("who waits does not say so")
		}
	}
	p.must(a.Commit(t.Context(), nil))
	unlock()
	if !<-done {
		t.Error("the second did not see what the first has done")
	}
	if got := *told.Load(); got != "process "+strconv.Itoa(os.Getpid()) {
		t.Errorf("holder %q", got)
	}
	if left, _ := filepath.Glob(p.path(".weft/locks/*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Two stores write in turn; neither loses what the other wrote, also when one
// of them makes the file compact.
func TestSharedState(t *testing.T) {
	p := newProject(t)
	stores := [2]*Store{p.store(), p.store()}
	for i := range 20 {
		p.in.Key = string(rune('a' + i))
		s := stores[i%2]
		c := p.check(s)
		c.Begin()
		p.write("out/a", "")
		p.must(c.Commit(t.Context(), nil))
		if i == 10 {
			p.must(stores[0].log.compact(func(id, stored) bool { return true }))
		}
	}
	for _, s := range []*Store{p.store(), stores[0], stores[1]} {
		s.again()
		for i := range 20 {
			p.in.Key = string(rune('a' + i))
			if c := p.check(s); !c.Fresh {
				t.Errorf("%s: %v", p.in.Key, c.Why(t.Context()))
			}
		}
	}
}

func TestTidy(t *testing.T) {
	p := newProject(t)
	now := time.Now()
	p.o.Now = func() time.Time { return now }
	p.in.Key = "rare"
	p.run()
	p.in.Key = "used"
	p.run()
	for range 5 {
		now = now.Add(9 * 24 * time.Hour)
		if p.run() {
			t.Fatal("used, and dropped")
		}
	}
	s := p.store()
	s.open()
	if _, ok := s.log.get(idOf("rare")); ok || len(s.log.live) != 1 {
		t.Errorf("%d entries after 45 days", len(s.log.live))
	}
	// A lock file of a process that was killed, a body that nobody needs.
	stale := p.path(".weft/locks/" + idOf("x").String())
	p.write(".weft/locks/"+idOf("x").String(), "1")
	body := bodyName(idOf("x"), [16]byte{})
	p.write(".weft/files/"+body, "")
	p.write(".weft/files/not-ours", "")
	p.write(".weft/state.0123456789abcdef.new", "")
	for _, f := range []string{stale, p.path(".weft/files/" + body), p.path(".weft/files/not-ours"), p.path(".weft/state.0123456789abcdef.new")} {
		p.must(os.Chtimes(f, time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)))
	}
	for i := range 2000 { // enough records that later ones replace
		p.in.Fields[0].Value = strings.Repeat("x", i%10)
		c := p.check(s)
		c.Begin()
		p.must(c.Commit(t.Context(), nil))
	}
	s.Close()
	st, err := os.Stat(p.path(".weft/state"))
	p.must(err)
	left, _ := filepath.Glob(p.path(".weft/*/*"))
	more, _ := filepath.Glob(p.path(".weft/*.new"))
	if st.Size() > 64<<10 || len(left) != 1 || filepath.Base(left[0]) != "not-ours" || len(more) != 0 {
		t.Errorf("%d bytes, %v", st.Size(), left)
	}
}

// kill -9 while records are written: the state is readable, and everything it
// says had succeeded.
func TestKill(t *testing.T) {
	if dir := os.Getenv("CACHE_KILL"); dir != "" {
		s := Open(placeOf(dir), Options{})
		for i := 0; ; i++ {
			k := id{byte(i % 50)}
			s.remove(k)
			s.save(k, &entry{at: int64(i), body: bytes.Repeat([]byte{byte(i)}, i%500)}, false)
			if i == 200 {
				os.Stdout.WriteString("on\n")
			}
		}
	}
	dir := t.TempDir()
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=TestKill")
		cmd.Env = append(os.Environ(), "CACHE_KILL="+dir)
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
		s := Open(placeOf(dir), Options{})
		s.open()
		if s.log.bad || len(s.log.live) < 48 {
			t.Fatalf("%d of 50 entries are left, damaged: %v", len(s.log.live), s.log.bad)
		}
		for k, r := range s.log.live {
			e, err := decodeEntry(r.payload)
			if err != nil || byte(e.at%50) != k[0] || !slices.Equal(e.body, bytes.Repeat([]byte{byte(e.at)}, int(e.at%500))) {
				t.Fatalf("entry %v: %v", k, err)
			}
		}
	}
}

// What is the same with a new stat is recorded at the end: not when somebody else has begun
// to make it anew meanwhile.
func TestLateRecord(t *testing.T) {
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
		t.Error("what was made void is fresh again")
	}
}

// What is recorded of a secret is a digest with the key of the state: in another state it
// is another one, so nobody can try what the secret may be.
func TestSecretsAreSealed(t *testing.T) {
	var entries [2]*entry
	for i := range entries {
		p := newProject(t)
		p.o.Secret = func(text string) bool { return strings.Contains(text, "hunter2") }
		p.in.Fields = append(p.in.Fields, Field{Name: "command 2", Value: "login hunter2"}, Field{Name: "generates hunter2", Value: "x"})
		p.in.Root, p.in.Dir = "/r", "/r/d" // of both
		s := p.store()
		entries[i] = &entry{texts: p.in.digest(s.salt()), body: encodeBody(s.explained(&p.in), p.in.Root, side{}, side{}, nil)}
		if bytes.Contains(entries[i].body, []byte("hunter2")) {
			t.Errorf("the secret stands in %q", entries[i].body)
		}
		if again := p.store(); again.secretKey() != s.secretKey() {
			t.Error("another key for the same state")
		}
	}
	if entries[0].texts == entries[1].texts || bytes.Equal(entries[0].body, entries[1].body) {
		t.Error("digests without a key")
	}
}
