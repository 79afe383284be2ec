//go:build linux

package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// namesIn returns the names in d, sorted, with those of free files replaced by "free".
func namesIn(t *testing.T, d *Dir) []string {
	t.Helper()
	names, err := d.Names()
	must(t, err)
	for i, name := range names {
		if strings.HasSuffix(name, freeSuffix) {
			names[i] = "free"
		}
	}
	slices.Sort(names)
	return names
}

// TestLocksReuse: the file of a released lock becomes the next one, also that of a process that
// has ended.
func TestLocksReuse(t *testing.T) {
	d := mustMake(t, place(t))
	var first os.FileInfo
	for round := range 2 {
		l := NewLocks(d)
		for i := range 3 {
			name := fmt.Sprint("lock", i)
			lock, err := l.TryLock(name, fmt.Sprintf("holder %d of round %d", i, round))
			must(t, err)
			info, err := lock.f.Stat()
			must(t, err)
			if first == nil {
				first = info
			} else if !os.SameFile(first, info) {
				t.Errorf("round %d: %s is another file", round, name)
			}
			if got, want := namesIn(t, d), []string{name}; !slices.Equal(got, want) {
				t.Errorf("round %d: %q, want %q", round, got, want)
			}
			if got, want := l.Holder(name), fmt.Sprintf("holder %d of round %d", i, round); got != want {
				t.Errorf("holder %q, want %q", got, want)
			}
			if _, err := d.TryLock(name, ""); !errors.Is(err, ErrLocked) {
				t.Errorf("another process: %v", err)
			}
			lock.Release()
			if got := namesIn(t, d); !slices.Equal(got, []string{"free"}) {
				t.Errorf("round %d: left: %q", round, got)
			}
		}
		l.Close()
	}
}

// TestLocksShorterHolder: what a longer holder has left of its text is not shown.
func TestLocksShorterHolder(t *testing.T) {
	d := mustMake(t, place(t))
	l := NewLocks(d)
	defer l.Close()
	for _, holder := range []string{"process 1234567 step 12", "1 a", ""} {
		lock, err := l.TryLock("x", holder)
		must(t, err)
		if got := d.Holder("x"); got != holder {
			t.Errorf("holder %q, want %q", got, holder)
		}
		lock.Release()
	}
}

// TestLocksExclude: of several processes and goroutines one has a lock, whatever files become it.
func TestLocksExclude(t *testing.T) {
	d := mustMake(t, place(t))
	const processes, goroutines, rounds = 4, 4, 300
	var holders [5]atomic.Int32
	var all sync.WaitGroup
	for range processes {
		l := NewLocks(d)
		var one sync.WaitGroup
		for range goroutines {
			one.Go(func() {
				for range rounds {
					i := rand.IntN(len(holders))
					lock, err := l.Lock(t.Context(), fmt.Sprint("lock", i), "me", nil)
					if err != nil {
						t.Error(err)
						return
					}
					if n := holders[i].Add(1); n != 1 {
						t.Errorf("%d hold lock %d", n, i)
					}
					holders[i].Add(-1)
					lock.Release()
				}
			})
		}
		all.Go(func() { one.Wait(); l.Close() })
	}
	all.Wait()
	if got := namesIn(t, d); len(got) > processes*maxFree || slices.ContainsFunc(got, func(name string) bool { return name != "free" }) {
		t.Errorf("left: %q", got)
	}
}

// TestLocksPlanted: a free file must be a file of weft's own, and not used by another process. Nothing
// is written through what someone has put in its place.
func TestLocksPlanted(t *testing.T) {
	p := place(t)
	d := mustMake(t, p)
	precious := filepath.Join(t.TempDir(), "precious")
	must(t, os.WriteFile(precious, []byte("kept"), 0o600))
	at := func(name string) string { return filepath.Join(d.Path(), name) }
	must(t, os.Symlink(precious, at("a"+freeSuffix)))
	must(t, os.Link(precious, at("b"+freeSuffix)))
	must(t, syscall.Mkfifo(at("c"+freeSuffix), 0o600))
	must(t, os.Mkdir(at("d"+freeSuffix), 0o700))
	must(t, os.WriteFile(at("e"+freeSuffix), nil, 0o602))
	must(t, os.Chmod(at("e"+freeSuffix), 0o602))
	used, err := d.TryLock("f"+freeSuffix, "another")
	must(t, err)
	defer used.Release()

	l := NewLocks(d)
	defer l.Close()
	lock, err := l.TryLock("x", "me")
	must(t, err)
	lock.Release()
	// The free file is replaced before it is the next lock.
	free := l.free[0].name
	must(t, os.Remove(at(free)))
	must(t, os.Symlink(precious, at(free)))
	var bad *Unsafe
	if lock, err := l.TryLock("y", "me"); !errors.As(err, &bad) {
		t.Errorf("a link has become the lock %v: %v", lock, err)
	}
	// A lock is replaced before it is released: what is there stays.
	lock, err = l.TryLock("z", "me")
	must(t, err)
	must(t, os.Remove(at("z")))
	must(t, os.WriteFile(at("z"), []byte("another"), 0o600))
	l.keep(lock)
	if text, err := os.ReadFile(at("z")); string(text) != "another" {
		t.Errorf("another lock has become a free file: %q, %v", text, err)
	}
	if text, _ := os.ReadFile(precious); string(text) != "kept" {
		t.Errorf("a file outside was written: %q", text)
	}
}

// TestLocksNotSupported: where no file can become a lock, locks are as without free files.
func TestLocksNotSupported(t *testing.T) {
	d := mustMake(t, place(t))
	l := NewLocks(d)
	defer l.Close()
	lock, err := l.TryLock("a", "me")
	must(t, err)
	lock.Release()
	if _, err := l.TryLock("no/directory", "me"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for range 2 {
		lock, err := l.TryLock("a", "me")
		must(t, err)
		if got := namesIn(t, d); !slices.Equal(got, []string{"a", "free"}) {
			t.Errorf("%q", got)
		}
		lock.Release()
	}
}

// BenchmarkLocks measures a lock and its release, with and without the files of earlier ones.
func BenchmarkLocks(b *testing.B) {
	for _, how := range []string{"reused", "made"} {
		b.Run(how, func(b *testing.B) {
			d, err := Place{Base: b.TempDir(), Path: "state"}.Make()
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			l := NewLocks(d)
			defer l.Close()
			if how == "made" {
				l.disable()
			}
			i := 0
			for b.Loop() {
				i++
				lock, err := l.TryLock(fmt.Sprint("lock", i%1000), "process 1")
				if err != nil {
					b.Fatal(err)
				}
				lock.Release()
			}
		})
	}
}
