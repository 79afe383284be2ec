package fswatch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// system is one that a test drives.
type system struct {
	mu     sync.Mutex
	dirs   map[string]bool
	events chan string
	refuse error
}

func newFake() *system { return &system{dirs: map[string]bool{}, events: make(chan string, 20_000)} }

func (s *system) Add(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.dirs[dir] = true
	return nil
}

func (s *system) Remove(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dirs, dir)
}

func (s *system) Watching(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirs[dir]
}

func (s *system) Events() <-chan string { return s.events }
func (s *system) Close() error          { return nil }

func (s *system) watches(dirs ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range dirs {
		if !s.dirs[d] {
			return false
		}
	}
	return len(s.dirs) == len(dirs)
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

func next(t *testing.T, w interface{ Batches() <-chan Batch }) Batch {
	t.Helper()
	select {
	case b := <-w.Batches():
		return b
	case <-time.After(20 * time.Second):
		t.Fatal("no batch")
		return Batch{}
	}
}

// TestBatcher: when a batch closes, in virtual time.
func TestBatcher(t *testing.T) {
	var c clock.Clock
	c.Pause()
	open := func(b *Batcher) bool {
		select {
		case <-b.Batches():
			return false
		default:
			return true
		}
	}
	b := NewBatcher(0, &c)
	b.Add("a")
	c.Advance(quick - 1)
	if !open(b) {
		t.Fatal("closed too early")
	}
	c.Advance(1)
	if got := next(t, b); !slices.Equal(got.Paths, []string{"a"}) {
		t.Fatal(got)
	}
	// Soon after a batch one waits longer.
	b.Add("b")
	c.Advance(quick)
	if !open(b) {
		t.Fatal("a second batch at once")
	}
	b.Add("a")
	c.Advance(interval)
	if got := next(t, b); !slices.Equal(got.Paths, []string{"a", "b"}) {
		t.Fatal(got)
	}
	c.Advance(recent)
	// A storm is waited for, but not for ever.
	for i := range 10_000 {
		b.Add(fmt.Sprint(i % 50))
		if i%1000 == 0 {
			c.Advance(interval / 2)
		}
	}
	c.Advance(interval)
	if got := next(t, b); len(got.Paths) != 50 {
		t.Fatal(len(got.Paths))
	}
	c.Advance(time.Hour)
	for range 25 {
		b.Add("x")
		c.Advance(interval / 2)
	}
	if open(b) {
		t.Fatal("open for more than a second")
	}
	// Changes that were not taken are part of the next batch.
	c.Advance(time.Hour)
	b.Add("y")
	b.Lost()
	c.Advance(time.Hour)
	b.Add("z")
	c.Advance(time.Hour)
	if got := next(t, b); !got.Lost || !slices.Contains(got.Paths, "y") || !slices.Contains(got.Paths, "z") {
		t.Fatal(got)
	}
	own := NewBatcher(time.Second, &c)
	own.Add("a")
	c.Advance(time.Second - 1)
	if !open(own) {
		t.Fatal("an interval of the user's does not hold")
	}
	c.Advance(1)
	next(t, own)
	b.Close()
	own.Close()
	if c.Pending() != 0 {
		t.Error("timers are left")
	}
}

func mkdirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDirectories: which directories are watched, as they come and go.
func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	mkdirs(t, in("a", "b"), in("a", "ignored", "c"), in("d"))
	s := newFake()
	w, err := New(Options{System: s, Ignore: func(p string) bool { return filepath.Base(p) == "ignored" }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Watch([]Dir{{in("a"), true}, {in("d"), false}, {in("missing", "deep"), true}})
	if !s.watches(in("a"), in("a", "b"), in("d"), dir) {
		t.Fatal(s.dirs)
	}
	// One that appears with a file in it.
	mkdirs(t, in("a", "new", "er"))
	write(t, in("a", "new", "er", "f"), "x")
	s.events <- in("a", "new")
	if b := next(t, w); !slices.Contains(b.Paths, in("a", "new", "er", "f")) {
		t.Fatal(b)
	}
	if !s.watches(in("a"), in("a", "b"), in("a", "new"), in("a", "new", "er"), in("d"), dir) {
		t.Fatal(s.dirs)
	}
	os.RemoveAll(in("a", "new"))
	s.events <- in("a", "new", "er")
	s.events <- in("a", "new")
	next(t, w)
	until(t, "removed ones", func() bool { return s.watches(in("a"), in("a", "b"), in("d"), dir) })
	w.Watch([]Dir{{in("d"), true}})
	if !s.watches(in("d")) {
		t.Fatal(s.dirs)
	}
	// Changes that were lost: all is looked at.
	mkdirs(t, in("d", "unseen"))
	s.events <- ""
	if b := next(t, w); !b.Lost {
		t.Fatal(b)
	}
	if !s.watches(in("d"), in("d", "unseen")) {
		t.Fatal(s.dirs)
	}
}

// TestReplacedUnseen: a directory that was replaced without an event is noticed when directories are
// watched again, since what was read of it meanwhile may be of either one.
func TestReplacedUnseen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replace func(in func(string) string) error
		lost    bool
	}{
		{"another directory", func(in func(string) string) error {
			return errors.Join(os.Rename(in("a"), in("away")), os.Rename(in("b"), in("a")))
		}, true},
		{"a link to another one", func(in func(string) string) error {
			return errors.Join(os.Remove(in("link")), os.Symlink("b", in("link")))
		}, true},
		{"removed", func(in func(string) string) error { return os.RemoveAll(in("a")) }, true},
		{"made", func(in func(string) string) error { return os.Mkdir(in("missing"), 0o755) }, true},
		{"the target of a link", func(in func(string) string) error { return os.Mkdir(in("target"), 0o755) }, true},
		{"nothing", func(func(string) string) error { return nil }, false},
		{"a file", func(in func(string) string) error { return os.WriteFile(filepath.Join(in("a"), "f"), nil, 0o644) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			mkdirs(t, in("a"), in("b"))
			for link, to := range map[string]string{in("link"): "a", filepath.Join(in("a"), "dangling"): "../target/."} {
				if err := os.Symlink(to, link); err != nil {
					t.Skip(err)
				}
			}
			var c clock.Clock
			c.Pause()
			w, err := New(Options{System: newFake(), Clock: &c})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			dirs := []Dir{{in("a"), true}, {in("link"), true}, {in("missing"), true}}
			w.Watch(dirs)
			if err := tt.replace(in); err != nil {
				t.Fatal(err)
			}
			w.Watch(dirs)
			c.Advance(maxOpen)
			select {
			case b := <-w.Batches():
				if !tt.lost || !b.Lost {
					t.Errorf("a batch: %+v", b)
				}
			default:
				if tt.lost {
					t.Error("no batch")
				}
			}
		})
	}
}

// TestLimit: where the system refuses, files are looked at, with one message.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	mkdirs(t, filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	s := newFake()
	s.refuse = &os.PathError{Op: "inotify_add_watch", Err: syscall.ENOSPC}
	var c clock.Clock
	c.Pause()
	var said []string
	w, err := New(Options{System: s, Clock: &c, Warn: func(m string) { said = append(said, m) }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Watch([]Dir{{dir, true}})
	if len(said) != 1 || !strings.Contains(said[0], "fs.inotify.max_user_watches") {
		t.Errorf("said %q", said)
	}
	write(t, filepath.Join(dir, "b", "f"), "x")
	c.Advance(pollEvery)
	c.Advance(interval)
	if b := next(t, w); !slices.Equal(b.Paths, []string{filepath.Join(dir, "b", "f")}) {
		t.Error(b)
	}
	os.Remove(filepath.Join(dir, "b", "f"))
	c.Advance(pollEvery)
	c.Advance(maxOpen)
	if b := next(t, w); !slices.Equal(b.Paths, []string{filepath.Join(dir, "b", "f")}) {
		t.Error(b)
	}
	if !errors.Is(s.refuse, syscall.ENOSPC) {
		t.Error("not the limit")
	}
}

// TestSystem: the operating system reports the expected changes, also among many renames.
func TestSystem(t *testing.T) {
	dir := t.TempDir()
	w, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Watch([]Dir{{dir, true}})
	write(t, filepath.Join(dir, "f"), "x")
	if b := next(t, w); !slices.Contains(b.Paths, filepath.Join(dir, "f")) {
		t.Error(b)
	}
	for i := range 10_000 {
		tmp := filepath.Join(dir, "tmp")
		write(t, tmp, "x")
		if err := os.Rename(tmp, filepath.Join(dir, fmt.Sprint("g", i%100))); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	until(t, "all files", func() bool {
		select {
		case b := <-w.Batches():
			for _, p := range b.Paths {
				seen[filepath.Base(p)] = true
			}
			if b.Lost {
				return true
			}
		default:
		}
		n := 0
		for name := range seen {
			if strings.HasPrefix(name, "g") {
				n++
			}
		}
		return n == 100
	})
}

// TestPaths: a change is told for all paths that lead to it, and what is replaced is watched
// again.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	mkdirs(t, in("a", "sub"), in("b"))
	write(t, in("a", "f"), "x")
	for link, to := range map[string]string{in("b", "dir"): "../a", in("b", "file"): "../a/f"} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip(err)
		}
	}
	w, err := New(Options{Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Watch([]Dir{{in("a"), true}, {in("b"), true}})
	told := func(what string, want ...string) {
		t.Helper()
		seen, lost := map[string]bool{}, false
		until(t, what, func() bool {
			select {
			case b := <-w.Batches():
				lost = lost || b.Lost
				for _, p := range b.Paths {
					seen[p] = true
				}
			default:
			}
			return lost || !slices.ContainsFunc(want, func(p string) bool { return !seen[p] })
		})
	}
	write(t, in("a", "f"), "y")
	told("a file", in("a", "f"), in("b", "dir", "f"), in("b", "file"))
	write(t, in("a", "sub", "g"), "y")
	told("a file below", in("a", "sub", "g"), in("b", "dir", "sub", "g"))
	// A directory below is replaced by another one that has the same in it.
	mkdirs(t, in("c", "deep"))
	if err := errors.Join(os.RemoveAll(in("a", "sub")), os.Rename(in("c"), in("a", "sub"))); err != nil {
		t.Fatal(err)
	}
	told("another directory", in("a", "sub"), in("b", "dir", "sub"))
	write(t, in("a", "sub", "deep", "h"), "y")
	told("a file in it", in("a", "sub", "deep", "h"), in("b", "dir", "sub", "deep", "h"))
	// So is the whole of it.
	if err := os.Rename(in("a"), in("away")); err != nil {
		t.Fatal(err)
	}
	w.Check()
	told("that it is gone", in("a"))
	mkdirs(t, in("a", "new"))
	w.Check()
	told("that it is back", in("a"))
	write(t, in("a", "new", "i"), "y")
	told("a file in the new one", in("a", "new", "i"), in("b", "dir", "new", "i"))
}
