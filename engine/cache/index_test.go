package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

func testIndex(t *testing.T) (*Index, string) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Index{Place: statefile.Place{Base: dir, Path: "state"}}, filepath.Join(dir, "state", indexName)
}

// entry is the nth entry of a task.
func entry(task string, n int) Indexed {
	return Indexed{task, DigestOf([]byte(fmt.Sprint(n))), time.Unix(1_700_000_000+int64(n), 0)}
}

func tasks(t *testing.T, x *Index) (names []string) {
	t.Helper()
	entries, err := x.Entries()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Task)
	}
	return names
}

func TestIndex(t *testing.T) {
	x, file := testIndex(t)
	if got := tasks(t, x); got != nil {
		t.Errorf("without a file: %q", got)
	}
	if err := x.Drop(func(Indexed) bool { return true }); err != nil {
		t.Error(err)
	}
	odd := "a \"b\"\n\xff"
	for _, e := range []Indexed{entry("a", 1), entry(odd, 2), entry("a", 1), entry("a", 3), {"", entry("", 4).Action, time.Now()}} {
		if err := x.Note(e); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprintf("%q", tasks(t, x)), fmt.Sprintf("%q", []string{"a", odd, "a", ""}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again := entry("a", 1)
	again.Time = again.Time.Add(indexedAgain)
	if err := x.Note(again); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", tasks(t, x)), fmt.Sprintf("%q", []string{odd, "a", "", "a"}); got != want {
		t.Errorf("one used a day later: got %s, want %s", got, want)
	}

	// A crash while a line is written loses only that line.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) {
		whole := len(lastTimes(parseIndex(b[:n])))
		os.WriteFile(file, b[:n], 0o600)
		if err := x.Note(entry("new", 9)); err != nil {
			t.Fatal(err)
		}
		got := tasks(t, x)
		if len(got) <= whole || got[len(got)-1] != "new" || len(got) > whole+2 {
			t.Fatalf("cut off after %d bytes: %q", n, got)
		}
	}
	os.WriteFile(file, b, 0o600)
	if err := x.Drop(func(e Indexed) bool { return e.Task == "a" }); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", tasks(t, x)), fmt.Sprintf("%q", []string{odd, ""}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIndexStaysSmall(t *testing.T) {
	x, file := testIndex(t)
	var b []byte
	for n := 0; len(b) < largeIndex; n++ {
		e := entry(fmt.Sprintf("%d %s", n%100, strings.Repeat("x", 50)), n)
		b = e.append(b)
	}
	os.WriteFile(file, b, 0o600)
	if err := x.Note(entry("last", 1)); err != nil {
		t.Fatal(err)
	}
	got := tasks(t, x)
	if len(got) != keptEntries || got[len(got)-1] != "last" {
		t.Errorf("%d entries are left, the last is %q", len(got), got[len(got)-1])
	}
	if err := x.Note(entry(strings.Repeat("x", maxTaskName+1), 1)); err != nil || len(tasks(t, x)) != len(got) {
		t.Error("a task with an overlong name is noted", err)
	}
}

func TestIndexAtOnce(t *testing.T) {
	x, _ := testIndex(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				if err := x.Note(entry(fmt.Sprint(i), n)); err != nil {
					t.Error(err)
				}
				if err := x.Drop(func(e Indexed) bool { return e == entry(fmt.Sprint(i), n-1) && n%2 == 0 }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(tasks(t, x)); got != 8*11 {
		t.Errorf("%d entries of %d", got, 8*11)
	}
}

func TestIndexUnsafe(t *testing.T) {
	x, file := testIndex(t)
	if err := os.Symlink("/etc/passwd", file); err != nil {
		t.Skip(err)
	}
	if _, err := x.Entries(); err == nil {
		t.Error("a link is read")
	}
	if err := x.Note(entry("a", 1)); err == nil {
		t.Error("a link is written")
	}
	os.Remove(file)
	os.WriteFile(file, make([]byte, maxIndex+1), 0o600)
	if _, err := x.Entries(); err == nil {
		t.Error("a file that is far too large is read")
	}
}

func FuzzIndex(f *testing.F) {
	e := entry("a", 1)
	f.Add(e.append(nil))
	f.Add([]byte("1 x/1 \"a\"\n\n1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries := parseIndex(b)
		again := parseIndex(formatIndex(entries))
		if fmt.Sprint(again) != fmt.Sprint(entries) {
			t.Errorf("%q is %v, and written and read again %v", b, entries, again)
		}
	})
}

// TestIndexOfOthers: an Index that has read the file sees what other processes add, drop and replace.
func TestIndexOfOthers(t *testing.T) {
	x, file := testIndex(t)
	y := &Index{Place: x.Place}
	note := func(x *Index, n int) {
		t.Helper()
		if err := x.Note(entry("t", n)); err != nil {
			t.Fatal(err)
		}
	}
	lines := func(want int) {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(b), "\n"); got != want {
			t.Errorf("%d lines, want %d", got, want)
		}
	}
	for n := range 10 {
		note(x, n)
		note(y, n)
		note(x, n)
	}
	lines(10)
	for round := range 5 {
		if err := y.Drop(func(e Indexed) bool { return e == entry("t", 3) }); err != nil {
			t.Fatal(err)
		}
		lines(9)
		note(x, 3)
		lines(10)
		note(y, 3)
		lines(10)
		// The same number of bytes, at the same place: the last line tells.
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := parseIndex(b)
		other := entry("t", 100+round)
		all[len(all)-1] = other
		if err := os.WriteFile(file, formatIndex(all), 0o600); err != nil {
			t.Fatal(err)
		}
		note(x, 100+round)
		lines(10)
		note(x, 3)
		lines(11)
		if err := y.Drop(func(e Indexed) bool { return e == other }); err != nil {
			t.Fatal(err)
		}
		lines(10)
	}
}

// BenchmarkIndexNote measures the note of one of many entries.
func BenchmarkIndexNote(b *testing.B) {
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		b.Fatal(err)
	}
	x := &Index{Place: statefile.Place{Base: dir, Path: "state"}}
	n := 0
	for b.Loop() {
		n++
		if err := x.Note(entry("task", n)); err != nil {
			b.Fatal(err)
		}
	}
}
