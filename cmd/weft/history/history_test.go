package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
)

// newStore returns an empty store, and the path of its directory.
func newStore(t testing.TB) (Store, string) {
	t.Helper()
	root := t.TempDir()
	return Store{State: statefile.Place{Base: root, Path: ".weft"}}, filepath.Join(root, ".weft", "runs")
}

// must fails the test if there is an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// names returns the contents of a directory, sorted.
func names(t testing.TB, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	var s []string
	for _, e := range all {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]struct {
		number int
		kind   kind
		ok     bool
	}{
		"000042.ndjson":       {42, events, true},
		"000042.ndjson.gz":    {42, compressed, true},
		"000042.log":          {42, log, true},
		"1000000.log":         {1000000, log, true},
		"999999999.ndjson":    {999999999, events, true},
		"9999999999.ndjson":   {},
		"42.ndjson":           {},
		"0000042.ndjson":      {}, // a second name of run 42
		"000000.log":          {},
		"-00042.log":          {},
		"+00042.log":          {},
		"000042":              {},
		"000042.":             {},
		"000042.ndjson.gz.gz": {},
		".ndjson":             {},
		"index":               {},
	} {
		if number, kind, ok := parseName(name); number != want.number || kind != want.kind || ok != want.ok {
			t.Errorf("%q: %d, %d, %v", name, number, kind, ok)
		}
	}
}

// TestModes: the history is private to the user, in a directory that git ignores.
func TestModes(t *testing.T) {
	s, dir := newStore(t)
	record(t, s, "a")
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
	if b, _ := os.ReadFile(filepath.Join(dir, "..", ".gitignore")); string(b) != "*\n" {
		t.Errorf(".gitignore: %q", b)
	}
	if got, want := names(t, dir), "000001.ndjson durations index lock"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNumbers: concurrent runs have different numbers, even if one of them compresses its events
// file.
func TestNumbers(t *testing.T) {
	s, dir := newStore(t)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			steps := 1
			if i%2 == 0 {
				steps = manySteps + 1
			}
			recordSteps(t, s, fmt.Sprint("task", i), steps, 0)
		})
	}
	wait.Wait()
	d, err := s.open()
	must(t, err)
	defer d.Close()
	all, err := listFiles(d)
	must(t, err)
	entries := readIndex(d)
	if len(all) != 20 || len(entries) != 20 {
		t.Fatalf("%d runs, %d entries: %s", len(all), len(entries), names(t, dir))
	}
	seen := map[string]bool{}
	for i, f := range all {
		if f.number != i+1 || f.has[events] == f.has[compressed] {
			t.Errorf("run %d: %+v", i+1, f)
		}
		seen[entries[f.number].Tasks[0]] = true
	}
	if len(seen) != 20 {
		t.Errorf("of %d tasks", len(seen))
	}
}

// TestKeep: the oldest runs are removed, but not one that is being recorded.
func TestKeep(t *testing.T) {
	s, dir := newStore(t)
	s.Keep = 3
	first := NewWriter(s, nil)
	first.Handle(&event.RunStarted{Time: time.Now(), Run: "first"})
	if n := first.Number(); n != 1 {
		t.Fatalf("number %d", n)
	}
	for i := range 6 {
		record(t, s, fmt.Sprint(i))
	}
	if got, want := names(t, dir), "000001.ndjson 000006.ndjson 000007.ndjson durations index lock"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	first.Close()
	record(t, s, "last")
	if got, want := names(t, dir), "000006.ndjson 000007.ndjson 000008.ndjson durations index lock"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestPruneSizes: logs are removed before events, and the oldest first.
func TestPruneSizes(t *testing.T) {
	for most, want := range map[int64]string{
		600: "000001.log 000001.ndjson 000002.log 000002.ndjson 000003.log 000003.ndjson.gz",
		599: "000001.ndjson 000002.log 000002.ndjson 000003.log 000003.ndjson.gz",
		499: "000001.ndjson 000002.ndjson 000003.log 000003.ndjson.gz",
		300: "000001.ndjson 000002.ndjson 000003.ndjson.gz",
		299: "000002.ndjson 000003.ndjson.gz",
		0:   "",
		-1:  "000001.log 000001.ndjson 000002.log 000002.ndjson 000003.log 000003.ndjson.gz",
	} {
		s, dir := newStore(t)
		d, err := s.make()
		must(t, err)
		for _, name := range []string{"000001.ndjson", "000001.log", "000002.ndjson", "000002.log", "000003.ndjson.gz", "000003.log"} {
			must(t, os.WriteFile(filepath.Join(dir, name), make([]byte, 100), 0o600))
		}
		all, err := listFiles(d)
		must(t, err)
		kept := prune(d, all, 10, most)
		if got := names(t, dir); got != want {
			t.Errorf("at most %d bytes: %s, want %s", most, got, want)
		}
		after, err := listFiles(d)
		must(t, err)
		if !slices.Equal(after, kept) {
			t.Errorf("at most %d bytes: %v are there, %v said to be", most, after, kept)
		}
		d.Close()
	}
}

// TestIndex: an incomplete line after a crash damages no other, and a large index is shrunk.
func TestIndex(t *testing.T) {
	s, dir := newStore(t)
	s.Keep = 2
	record(t, s, "a")
	path := filepath.Join(dir, indexName)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, b[:len(b)-5], 0o600))
	record(t, s, "b\x1b\xff\"")
	d, err := s.open()
	must(t, err)
	defer d.Close()
	entries := readIndex(d)
	if len(entries) != 1 || entries[2] == nil || entries[2].Tasks[0] != "b\x1b\uFFFD\"" {
		t.Errorf("%v", entries)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	fmt.Fprintf(f, "%s\n\n{}\n[]\n{\"number\":-1,\"result\":\"failed\"}\n", strings.Repeat("x", 5000))
	must(t, f.Close())
	record(t, s, "c")
	if info, err := os.Stat(path); err != nil || info.Size() > 1000 {
		t.Errorf("the index has %v bytes, %v", info.Size(), err)
	}
	if entries := readIndex(d); len(entries) != 2 || entries[3] == nil {
		t.Errorf("%v", entries)
	}
}

// TestEntry: an entry is read as it was written.
func TestEntry(t *testing.T) {
	for _, e := range []Entry{
		{Number: 1, Tasks: []string{}, Result: Succeeded},
		{Number: 42, ID: "d4a46ecb", Time: time.Date(2026, 11, 29, 1, 2, 3, 4000, time.UTC), Tasks: []string{"ci", "a \"\\\n\x1b"}, Result: Failed, Seconds: 1.25, Planned: 9,
			Counts: Counts{event.Succeeded: 1, event.Fresh: 2, event.Restored: 3, event.Failed: 4, event.Skipped: 5, event.Cancelled: 6}, Failures: []string{"ü"}, Commit: "abc", Parent: "p"},
	} {
		var got Entry
		line := e.append(nil)
		if err := json.Unmarshal(line, &got); err != nil || !reflect.DeepEqual(got, e) || !bytes.HasSuffix(line, []byte("}\n")) {
			t.Errorf("%s: %v\n%+v\n%+v", line, err, got, e)
		}
	}
}

func FuzzIndex(f *testing.F) {
	line, err := json.Marshal(&Entry{Number: 1, ID: "x", Tasks: []string{"a"}, Result: Failed})
	must(f, err)
	f.Add(line)
	f.Add([]byte("{\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n, e := range parseIndex(b) {
			if n != e.Number || n <= 0 || n > maxNumber || e.Counts.Settled() < 0 {
				t.Errorf("%d: %+v", n, e)
			}
		}
	})
}

// TestDurations: the table agrees with a naive one.
func TestDurations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	naive := map[uint64][]uint32{}
	var table table
	for hour := range uint32(50) {
		var samples []sample
		for range r.IntN(8) {
			s := sample{r.Uint64N(20), uint32(r.IntN(1000))}
			samples = append(samples, s)
			naive[s.key] = append([]uint32{max(1, s.ms)}, naive[s.key]...)
		}
		table = table.add(samples, maxAge+hour)
		if valid := table.valid(); !bytes.Equal(valid, table) {
			t.Fatalf("not in order: %x", table)
		}
		for key := range uint64(21) {
			want := time.Duration(0)
			if times := naive[key]; len(times) > 0 {
				times = slices.Sorted(slices.Values(times[:min(len(times), lastTimes)]))
				n := len(times)
				want = time.Duration(times[(n-1)/2]+times[n/2]) * time.Millisecond / 2
			}
			if got := table.median(key); got != want {
				t.Fatalf("step %d: %v, want %v", key, got, want)
			}
		}
	}
	if n := len(table.add(nil, 3*maxAge)); n != 0 {
		t.Errorf("%d bytes are left of what nobody asks for", n)
	}
}

func FuzzDurations(f *testing.F) {
	f.Add([]byte(nil), uint64(1))
	f.Add([]byte(table(nil).add([]sample{{1, 5}, {7, 8}}, 400_000)), uint64(7))
	f.Fuzz(func(t *testing.T, b []byte, key uint64) {
		valid := table(b).valid()
		valid.median(key)
		sum := valid.add([]sample{{key, 5}}, 400_000)
		if len(sum.valid()) != len(sum) || sum.median(key) == 0 {
			t.Errorf("%x and %d: %x", b, key, sum)
		}
	})
}

// TestFindRecord: it finds the records of keys that are distributed evenly, and of others.
func TestFindRecord(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		var samples []sample
		for range n {
			samples = append(samples, sample{r.Uint64() >> (n % 3 * r.IntN(60)), 1})
		}
		known := table(nil).add(samples, 1)
		for i := 0; i < len(known); i += recordSize {
			for _, key := range []uint64{known.key(i) - 1, known.key(i), known.key(i) + 1} {
				at, found := known.find(key)
				want := 0
				for want < len(known) && known.key(want) < key {
					want += recordSize
				}
				if at != want || found != (want < len(known) && known.key(want) == key) {
					t.Fatalf("%x of %d records: at %d, %v, want %d", key, n, at, found, want)
				}
			}
		}
	}
}

// TestFrom: it begins where find finds the record, or where it would be.
func TestFrom(t *testing.T) {
	var known table
	for key := uint64(10); key <= 400; key += 10 {
		for want := uint64(1); want < key+20; want += 3 {
			at, _ := known.find(want)
			if got := known.from(want); !bytes.Equal(got, known[at:]) {
				t.Fatalf("of %d records it has %d from %d on, want %d", len(known)/recordSize, len(got)/recordSize, want, len(known[at:])/recordSize)
			}
		}
		known = known.add([]sample{{key, 1}}, 1)
	}
}

// TestDurationsFile: damaged data and invalid keys yield no durations.
func TestDurationsFile(t *testing.T) {
	s, dir := newStore(t)
	if d := s.Durations().Of("0000000000000001"); d != 0 {
		t.Errorf("without a file: %v", d)
	}
	recordSteps(t, s, "a", 1, 80*time.Millisecond)
	recordSteps(t, s, "a", 1, 40*time.Millisecond)
	known := s.Durations()
	for key, want := range map[string]time.Duration{
		"0000000000000001": 60 * time.Millisecond, "0000000000000001#2": 60 * time.Millisecond, "0000000000000002": 0, "1": 0, "": 0, "x": 0,
	} {
		if got := known.Of(key); got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, durationsName), bytes.Repeat([]byte{1}, 100), 0o600))
	if d := s.Durations().Of("0000000000000001"); d != 0 {
		t.Errorf("damaged: %v", d)
	}
	recordSteps(t, s, "a", 1, time.Second)
	if d := s.Durations().Of("0000000000000001"); d != time.Second {
		t.Errorf("replaced: %v", d)
	}
}

// TestConfirmed: durations that add nothing do not change the file.
func TestConfirmed(t *testing.T) {
	var known table
	for range lastTimes {
		if !known.learns([]sample{{1, 100}}, 1000) {
			t.Error("not all times are known")
		}
		known = known.add([]sample{{1, 100}}, 1000)
	}
	for _, test := range []struct {
		sample
		at   uint32
		want bool
	}{
		{sample{1, 100}, 1000, true}, {sample{1, 130}, 1000, true}, {sample{1, 132}, 1000, false},
		{sample{1, 80}, 1000, true}, {sample{1, 70}, 1000, false},
		{sample{2, 100}, 1000, false}, {sample{1, 100}, 1001 + confirmAfter, false}, {sample{1, 100}, 900, false},
	} {
		if got := !known.learns([]sample{test.sample}, test.at); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// TestRareDifferences: of 1000 steps nine may take some milliseconds more.
func TestRareDifferences(t *testing.T) {
	var known table
	samples := make([]sample, 1000)
	for i := range samples {
		samples[i] = sample{uint64(i), 1}
	}
	for range lastTimes {
		known = known.add(slices.Clone(samples), 1000)
	}
	for _, test := range []struct {
		steps int
		ms    uint32
		want  bool
	}{{0, 0, false}, {9, 100, false}, {10, 100, true}, {10, 6, false}, {1, 126, false}, {1, 127, true}} {
		now := slices.Clone(samples)
		for i := range test.steps {
			now[100*i].ms = test.ms
		}
		if got := known.learns(now, 1000); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
	if !known.learns(append(samples, sample{1000, 1}), 1000) {
		t.Error("a new step")
	}
}

// TestPlanted: nothing is written through links, and no run fails.
func TestPlanted(t *testing.T) {
	s, dir := newStore(t)
	record(t, s, "a")
	precious := filepath.Join(t.TempDir(), "precious")
	must(t, os.WriteFile(precious, []byte("precious"), 0o600))
	for _, name := range []string{"000002.ndjson", "000004.log", indexName, durationsName, lockName} {
		path := filepath.Join(dir, name)
		os.Remove(path)
		must(t, os.Symlink(precious, path))
	}
	for range 4 {
		recordOutput(t, s, "out")
	}
	if b, _ := os.ReadFile(precious); string(b) != "precious" {
		t.Errorf("written through a link: %q", b)
	}
	if _, err := os.Stat(filepath.Join(dir, "000005.ndjson")); err != nil {
		t.Error(err)
	}
	must(t, os.RemoveAll(dir))
	must(t, os.Symlink(filepath.Dir(precious), dir))
	record(t, s, "a")
	if got := names(t, filepath.Dir(precious)); got != "precious" {
		t.Errorf("written through a link: %s", got)
	}
}

// TestBusy: a run waits a limited time for others that end.
func TestBusy(t *testing.T) {
	s, _ := newStore(t)
	d, err := s.make()
	must(t, err)
	defer d.Close()
	inner := errors.New("called")
	const patience = 20 * time.Millisecond
	err = locked(d, patience, func() error {
		started := time.Now()
		if err := locked(d, patience, func() error { return nil }); err != errBusy || time.Since(started) < patience {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		return inner
	})
	if err != inner {
		t.Error(err)
	}
}

// TestByKey: samples are in the order of their keys, those of one step in that of the samples.
func TestByKey(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		var samples []sample
		for i := range n {
			key := r.Uint64() >> r.IntN(64)
			samples = append(samples, sample{key, uint32(i)}, sample{key, uint32(i)})
		}
		want := slices.Clone(samples)
		slices.SortStableFunc(want, func(a, b sample) int { return cmp.Compare(a.key, b.key) })
		if got := byKey(samples); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
