package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// TestEveryCut: whatever is left of the files of a run when weft or the machine is stopped at any
// moment, the run is found, it is told that it did not end, and it can be read as far as it goes.
func TestEveryCut(t *testing.T) {
	for _, steps := range []int{3, manySteps + 1} {
		s, dir := newStore(t)
		recordSteps(t, s, "a", steps, time.Millisecond)
		must(t, os.Remove(filepath.Join(dir, indexName)))
		d, err := s.open()
		must(t, err)
		all, err := listFiles(d)
		must(t, err)
		d.Close()
		path := filepath.Join(dir, all[0].eventsName())
		whole, err := os.ReadFile(path)
		must(t, err)
		stride := max(1, len(whole)/60)
		last := -1
		for n := 0; n < len(whole); n += stride {
			if n+stride >= len(whole) {
				n = len(whole) - 1 // a few bytes before the end there are several steps
			}
			must(t, os.WriteFile(path, whole[:n], 0o600))
			runs, err := s.Runs()
			must(t, err)
			if len(runs) == 0 { // not even the first event is there
				if last >= 0 {
					t.Fatalf("nothing is left in %d bytes", n)
				}
				continue
			}
			settled := runs[0].Counts.Settled()
			if runs[0].Result != Killed && runs[0].Result != Succeeded || settled < last || runs[0].ID != "run-of-a" {
				t.Fatalf("of %d bytes: %+v", n, runs[0])
			}
			last = settled
		}
		if last < steps-1 {
			t.Errorf("of all but the end %d steps", last)
		}
	}
}

// TestDamaged: a file that is not a record, or has something else in it, hides no other run.
func TestDamaged(t *testing.T) {
	s, dir := newStore(t)
	record(t, s, "a")
	for name, text := range map[string]string{"000002.ndjson": "{}\n", "000003.ndjson": "", "000004.ndjson.gz": "\x1f\x8b no gzip", "000005.ndjson": strings.Repeat("x", 1<<20), "000006.log": "a log alone"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	must(t, os.Mkdir(filepath.Join(dir, "000007.ndjson"), 0o700))
	runs, err := s.Runs()
	if err != nil || len(runs) != 1 || runs[0].Number != 1 {
		t.Errorf("%v, %v", runs, err)
	}
	record(t, s, "b")
	if e, err := s.Find("last"); err != nil || e.Number != 8 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestFind: the names of runs.
func TestFind(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Find("last"); err == nil || err.Error() != "no runs are recorded" {
		t.Error(err)
	}
	for _, task := range []string{"a", "b", "c"} {
		record(t, s, task)
	}
	w := NewWriter(s, nil)
	w.Handle(&event.RunStarted{Time: time.Now(), Run: "inner", ParentRun: "run-of-c"})
	w.Handle(&event.RunFinished{Time: time.Now()})
	for name, want := range map[string]int{
		"1": 1, "4": 4, "last": 3, "last-0": 3, "last-1": 2, "last-2": 1, "run-of-b": 2, "inne": 4, "run-": 3,
		"0": 0, "5": 0, "-1": 0, "last-3": 0, "last-": 3, "last1": 0, "lastx": 0, "inn": 0, "": 0, "99999999999999999999": 0,
	} {
		e, err := s.Find(name)
		if want == 0 {
			var missing *NoRunError
			if !errors.As(err, &missing) || missing.Last != 4 {
				t.Errorf("%q: %+v, %v", name, e, err)
			}
		} else if err != nil || e.Number != want && name != "run-" {
			t.Errorf("%q: %+v, %v", name, e, err)
		}
	}
}

// TestMissingLog: what is not kept any more is counted, and a hostile place is no place.
func TestMissingLog(t *testing.T) {
	s, dir := newStore(t)
	recordOutput(t, s, "text")
	must(t, os.Remove(filepath.Join(dir, "000001.log")))
	f, err := s.Open(1)
	must(t, err)
	defer f.Close()
	for {
		ev, err := f.Next()
		if err != nil {
			break
		}
		if out, ok := ev.(*event.Output); ok && (len(out.Data) != 0 || out.Length != 0) {
			t.Errorf("%+v", out)
		}
	}
	if f.Missing != 4 {
		t.Errorf("%d bytes are missing", f.Missing)
	}
}

// TestTrouble: why no run can be recorded.
func TestTrouble(t *testing.T) {
	s, dir := newStore(t)
	if why := s.Problem(); why != "" {
		t.Error(why)
	}
	record(t, s, "a")
	if why := s.Problem(); why != "" {
		t.Error(why)
	}
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	if why := s.Problem(); !strings.Contains(why, "it is not a directory") {
		t.Error(why)
	}
	record(t, s, "a") // and nothing happens
}

// TestManySteps: the events of many steps are read as they were written, though their lines are short.
func TestManySteps(t *testing.T) {
	s, dir := newStore(t)
	w := NewWriter(s, nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { at = at.Add(1234567 * time.Nanosecond); return at }
	const n = manySteps + 1
	plan := &event.Planned{Time: now(), Steps: n}
	for i := range event.StepID(n) {
		name := fmt.Sprint("t", i)
		plan.Graph = append(plan.Graph, event.PlannedStep{Step: i + 1, Name: name, Label: name, Key: "60207c4ed8fa7c2c"})
	}
	events := []event.Event{&event.RunStarted{Time: now(), Run: "r"}, plan}
	for i := range event.StepID(n) {
		name := fmt.Sprint("t", i)
		events = append(events, &event.StepStarted{Time: now(), Step: i + 1, Parent: i % 3, Name: name, Task: name, Prefix: name},
			&event.CommandStarted{Time: now(), Step: i + 1, Text: ":", Dir: dir, Attempt: 1, Attempts: 1},
			&event.CommandEnded{Time: now(), Step: i + 1, Usage: event.Usage{MaxRSS: int64(i)}, Programs: 1},
			&event.StepSettled{Time: now(), Step: i + 1, Parent: i % 3, Name: name, Task: name, Prefix: name, Outcome: event.Succeeded, Usage: event.Usage{MaxRSS: int64(i)}})
	}
	events = append(events, &event.RunFinished{Time: now()})
	for _, ev := range events {
		w.Handle(ev)
	}
	file, err := s.Open(1)
	must(t, err)
	defer file.Close()
	for range 2 { // the second time after Rewind
		enc := event.Encoder{RunOnce: true}
		for i, ev := range events {
			want, err := event.Decode(enc.Encode(nil, ev))
			must(t, err)
			if got, err := file.Next(); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("event %d: %+v, %v, want %+v", i, got, err, want)
			}
		}
		must(t, file.Rewind())
	}
}
