package history

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// record records a run of one step that takes a moment.
func record(t testing.TB, s Store, task string) { recordSteps(t, s, task, 1, time.Millisecond) }

// recordSteps records a run whose steps take so long, and have the keys 1, 2, …
func recordSteps(t testing.TB, s Store, task string, steps int, each time.Duration) {
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "run-of-" + task, Tasks: []string{task}})
	w.Handle(&event.Planned{Time: now, Steps: steps})
	for i := range steps {
		id := event.StepID(i + 1)
		w.Handle(&event.StepStarted{Time: now, Step: id, Name: task, Task: task, Key: fmt.Sprintf("%016x", id)})
		now = now.Add(each)
		w.Handle(&event.StepSettled{Time: now, Step: id, Name: task, Task: task, Outcome: event.Succeeded, Duration: each})
	}
	w.Handle(&event.RunFinished{Time: now, Duration: time.Duration(steps) * each, Counts: [...]int{event.Succeeded: steps, event.Cancelled: 0}})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// recordOutput records a run whose only command writes text.
func recordOutput(t testing.TB, s Store, text string) *Writer {
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "output"})
	w.Handle(&event.Output{Time: now, Step: 1, Stream: event.Stdout, Data: []byte(text)})
	w.Handle(&event.RunFinished{Time: now})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return w
}

// eventsOf returns the lines that are recorded of a run.
func eventsOf(t testing.TB, dir string, number int) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, fileName(number, compressed)))
	var r io.Reader = f
	if err == nil {
		r, err = gzip.NewReader(f)
		must(t, err)
	} else {
		f, err = os.Open(filepath.Join(dir, fileName(number, events)))
		must(t, err)
		r = f
	}
	defer f.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// TestWhen: nothing is created in the first 100 ms; later everything is there a second after it
// has happened, and at once when a step has failed.
func TestWhen(t *testing.T) {
	s, dir := newStore(t)
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "r"})
	w.Handle(&event.StepSettled{Time: now, Step: 1, Outcome: event.Failed})
	w.Tick(now.Add(createAfter - 1))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("too early: %v", err)
	}
	w.Tick(now.Add(createAfter))
	if n := len(eventsOf(t, dir, 1)); n != 2 {
		t.Errorf("%d events", n)
	}
	w.Handle(&event.Output{Time: now, Step: 2, Stream: event.Stdout, Data: []byte("text")})
	w.Tick(now.Add(createAfter + flushEvery - 1))
	if n := len(eventsOf(t, dir, 1)); n != 2 {
		t.Errorf("%d events: too early", n)
	}
	w.Tick(now.Add(createAfter + flushEvery))
	if n := len(eventsOf(t, dir, 1)); n != 3 {
		t.Errorf("%d events", n)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "000001.log")); string(b) != "text" {
		t.Errorf("log: %q", b)
	}
	w.Handle(&event.StepSettled{Time: now, Step: 2, Outcome: event.Failed})
	if n := len(eventsOf(t, dir, 1)); n != 4 {
		t.Errorf("%d events: a failure is not written", n)
	}
	w.Tick(now.Add(-time.Hour)) // the clock was set back
	w.Handle(&event.StepSettled{Time: now.Add(-time.Hour), Step: 3, Outcome: event.Succeeded})
	w.Handle(&event.RunFinished{Time: now.Add(-time.Hour)})
	w.Close()
	if n := len(eventsOf(t, dir, 1)); n != 6 {
		t.Errorf("%d events", n)
	}
}

// TestResults: how a run has ended.
func TestResults(t *testing.T) {
	failed := &event.StepSettled{Step: 1, Task: "unit", Outcome: event.Failed}
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		events   []event.Event
		want     Result
		failures string
	}{
		"succeeded":   {[]event.Event{&event.RunFinished{}}, Succeeded, ""},
		"failed":      {[]event.Event{failed, &event.RunFinished{Err: broken}}, Failed, "unit"},
		"victim":      {[]event.Event{failed, &event.StepSettled{Step: 2, Task: "all", Outcome: event.Failed, Cause: 1}, &event.RunFinished{Err: broken}}, Failed, "unit"},
		"background":  {[]event.Event{&event.BackgroundEnded{Name: "db", Err: broken}, &event.RunFinished{Err: broken}}, Failed, "db"},
		"planning":    {[]event.Event{&event.RunFinished{Err: broken}}, Failed, ""},
		"interrupted": {[]event.Event{&event.SignalReceived{Signal: os.Interrupt}, &event.RunFinished{Err: broken}}, Cancelled, ""},
		"both":        {[]event.Event{failed, &event.SignalReceived{Signal: os.Interrupt}, &event.RunFinished{Err: broken}}, Failed, "unit"},
		"overlapping": {[]event.Event{&event.RunStarted{Run: "b", Tasks: []string{"b"}}, failed, &event.RunFinished{Err: broken}, &event.RunFinished{}}, Failed, "unit"},
	} {
		s, dir := newStore(t)
		w := NewWriter(s, nil)
		w.Handle(&event.RunStarted{Run: "a", Tasks: []string{"a"}})
		for _, ev := range test.events {
			w.Handle(ev)
		}
		d, err := s.open()
		must(t, err)
		e := readIndex(d)[1]
		d.Close()
		if e == nil || e.Result != test.want || strings.Join(e.Failures, " ") != test.failures {
			t.Errorf("%s: %+v", name, e)
		}
		if got := len(eventsOf(t, dir, 1)); got != 1+len(test.events) {
			t.Errorf("%s: %d events are recorded, not %d", name, got, 1+len(test.events))
		}
	}
}

// TestBefore: what happened before a run is recorded with it, and of no run nothing.
func TestBefore(t *testing.T) {
	s, dir := newStore(t)
	w := NewWriter(s, nil)
	for range mostBefore + 10 {
		w.Handle(&event.VarComputed{Text: "date"})
	}
	if w.Number() != 0 {
		t.Error("there is no run")
	}
	w.Handle(&event.RunStarted{Run: "a"})
	w.Handle(&event.RunFinished{})
	w.Handle(&event.VarComputed{Text: "between"})
	w.Close()
	if all := eventsOf(t, dir, 1); len(all) != mostBefore+2 {
		t.Errorf("%d events", len(all))
	}
	if got, want := names(t, dir), "000001.ndjson index"; got != want || w.Number() != 1 {
		t.Errorf("run %d: %s, want %s", w.Number(), got, want)
	}
}

// TestCompressed: events of many steps are compressed, also those that were written before it
// was known that there are many.
func TestCompressed(t *testing.T) {
	s, dir := newStore(t)
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "r"})
	w.Handle(&event.Planned{Time: now, Steps: manySteps})
	w.Tick(now.Add(time.Second))
	if got, want := names(t, dir), "000001.ndjson"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	w.Handle(&event.Planned{Time: now, Steps: 1})
	w.Tick(now.Add(2 * time.Second))
	if got, want := names(t, dir), "000001.ndjson.gz"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	d, err := s.open()
	must(t, err)
	defer d.Close()
	if !inUse(d, "000001.ndjson.gz") {
		t.Error("nobody sees that the run goes on")
	}
	w.Handle(&event.RunFinished{Time: now})
	if all := eventsOf(t, dir, 1); len(all) != 4 {
		t.Errorf("%q", all)
	}
	if inUse(d, "000001.ndjson.gz") {
		t.Error("nobody sees that the run has ended")
	}
}

// TestOutput: what one command writes on end is one event, and tells where it is.
func TestOutput(t *testing.T) {
	s, dir := newStore(t)
	w := NewWriter(s, nil)
	released := 0
	out := func(step event.StepID, text string) {
		w.Handle(&event.Output{Step: step, Stream: event.Stdout, Data: []byte(text), Release: func() { released++ }})
	}
	out(1, "before the run")
	w.Handle(&event.RunStarted{Run: "r"})
	out(1, "one ")
	out(1, "two\n")
	out(2, "three\n")
	w.Handle(&event.Output{Step: 2, Stream: event.Stdout, Partial: true})
	out(1, "four\n")
	w.Handle(&event.RunFinished{})
	if b, _ := os.ReadFile(filepath.Join(dir, "000001.log")); string(b) != "one two\nthree\nfour\n" || released != 5 {
		t.Errorf("log: %q, %d released", b, released)
	}
	var got []event.Output
	for _, line := range eventsOf(t, dir, 1) {
		ev, err := event.Decode([]byte(line))
		must(t, err)
		if out, ok := ev.(*event.Output); ok {
			got = append(got, event.Output{Step: out.Step, Offset: out.Offset, Length: out.Length, Partial: out.Partial})
		}
	}
	want := []event.Output{{Step: 1, Length: 8}, {Step: 2, Offset: 8, Length: 6}, {Step: 2, Partial: true}, {Step: 1, Offset: 14, Length: 5}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTooMuchOutput: after the limit the end of what a command wrote is recorded, if it fails.
func TestTooMuchOutput(t *testing.T) {
	s, dir := newStore(t)
	w := NewWriter(s, nil)
	block := []byte(strings.Repeat("0123456789abcde\n", 1<<16)) // 1 MiB
	write := func(step event.StepID, p []byte) { w.Handle(&event.Output{Step: step, Stream: event.Stdout, Data: p}) }
	w.Handle(&event.RunStarted{Run: "r"})
	for range maxLog >> 20 {
		write(1, block)
	}
	write(1, []byte("good\n"))
	write(2, block)
	write(2, []byte("bad\n"))
	w.Handle(&event.CommandEnded{Step: 1})
	w.Handle(&event.CommandEnded{Step: 2, Err: errors.New("exit status 1")})
	w.Handle(&event.RunFinished{})
	b, err := os.ReadFile(filepath.Join(dir, "000001.log"))
	must(t, err)
	want := "\n… 5 bytes were not recorded …\n\n… 983044 bytes were not recorded …\n" + string(block[len(block)-maxTail+4:]) + "bad\n"
	if got := string(b[maxLog:]); got != want {
		t.Errorf("%d bytes after the limit, want %d: %.100q", len(got), len(want), got)
	}
}

func BenchmarkRunOfOneStep(b *testing.B) {
	s, _ := newStore(b)
	for b.Loop() {
		record(b, s, "task")
	}
}

// recordBuiltins records a run of so many tasks with one builtin each, as the engine tells of it.
func recordBuiltins(t testing.TB, s Store, steps int) {
	w, now := NewWriter(s, nil), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	file, random := &diag.File{Name: "Taskfile.yml"}, rand.New(rand.NewPCG(1, 2))
	w.Handle(&event.RunStarted{Time: now, Run: "c68b1fff-d295-45ff-8614-47fccc798ef6", Tasks: []string{"all"}})
	graph, root := make([]event.PlannedStep, steps), event.StepID(steps+1)
	for i := range graph {
		name := fmt.Sprintf("t%d", i)
		graph[i] = event.PlannedStep{Step: event.StepID(i + 1), Name: name, Label: name, Key: fmt.Sprintf("%016x", random.Uint64()), Pos: diag.Pos{File: file, Line: int32(i + 6), Column: 3}}
	}
	w.Handle(&event.Planned{Time: now, Steps: steps, Graph: graph})
	for _, p := range graph {
		took := time.Duration(2+random.IntN(12)) * time.Microsecond
		w.Handle(&event.StepStarted{Time: now, Step: p.Step, Parent: root, Task: p.Label, Name: p.Name, Prefix: p.Label, Silent: true, Pos: p.Pos, Reasons: []string{"never up to date: it has neither sources nor status"}, Key: p.Key})
		w.Handle(&event.CommandStarted{Time: now.Add(took / 4), Step: p.Step, Text: ":", Dir: "/home/somebody/project", Silent: true, Pos: diag.Pos{File: file, Line: p.Pos.Line, Column: 15}, Attempt: 1, Attempts: 1})
		w.Handle(&event.CommandEnded{Time: now.Add(took / 2), Step: p.Step, Duration: took / 4})
		now = now.Add(took)
		w.Handle(&event.StepSettled{Time: now, Step: p.Step, Parent: root, Task: p.Label, Name: p.Name, Prefix: p.Label, Silent: true, Outcome: event.Succeeded, Duration: took, Place: event.Here})
	}
	w.Handle(&event.RunFinished{Time: now, Duration: time.Second, Counts: [...]int{event.Succeeded: steps, event.Cancelled: 0}})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestSizeOfMany: the record of 10,000 builtins takes at most 700 KiB of the disk.
func TestSizeOfMany(t *testing.T) {
	s, dir := newStore(t)
	recordBuiltins(t, s, 10_000)
	info, err := os.Stat(filepath.Join(dir, "000001.ndjson.gz"))
	must(t, err)
	if info.Size() > 700<<10 {
		t.Errorf("%d bytes", info.Size())
	}
}

// BenchmarkManySteps measures what a run of 10,000 builtins adds to a history that knows them.
func BenchmarkManySteps(b *testing.B) {
	s, _ := newStore(b)
	for b.Loop() {
		recordBuiltins(b, s, 10_000)
	}
}

// TestRemovedMeanwhile: a run that removes the directory of the state is recorded nevertheless.
func TestRemovedMeanwhile(t *testing.T) {
	s, dir := newStore(t)
	record(t, s, "earlier")
	w, now := NewWriter(s, nil), time.Now()
	w.Handle(&event.RunStarted{Time: now, Run: "clean", Tasks: []string{"clean"}})
	must(t, os.RemoveAll(filepath.Dir(dir)))
	w.Handle(&event.RunFinished{Time: now})
	must(t, w.Close())
	runs, err := s.Runs()
	if must(t, err); len(runs) != 1 || runs[0].ID != "clean" {
		t.Errorf("recorded: %v", runs)
	}
}

// BenchmarkEnd measures the end of a short run, for which the program waits.
func BenchmarkEnd(b *testing.B) {
	s, _ := newStore(b)
	for range s.keep() {
		record(b, s, "earlier")
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w, now := NewWriter(s, nil), time.Now()
		w.Handle(&event.RunStarted{Time: now, Run: "r", Tasks: []string{"t"}})
		b.StartTimer()
		w.Handle(&event.RunFinished{Time: now})
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
