package history

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
)

const (
	createAfter = 100 * time.Millisecond // a shorter run is written at its end
	flushEvery  = time.Second
	// flushedFailures is the number of failed steps after each of which the record is written at once.
	flushedFailures = 100
	// maxHeldBack is the number of bytes held back before anything is created.
	maxHeldBack = 1 << 20
	// manySteps is the number of planned steps from which lines of events are short, and compressed.
	manySteps = 1000
)

// Writer records runs. It is a reporter. Overlapping runs, in watch mode, are recorded as one.
//
// Nothing is created in the first 100 ms. Data that cannot be written is not recorded, and the run
// does not fail for it.
type Writer struct {
	store  Store
	enc    event.Encoder
	number int

	before []event.Event // events before the run
	open   int           // runs that have not finished
	rec    *recording    // of these; nil if there is none
	entry  Entry
	steps  steps
	called bool // stopped by a signal
	times  []sample
}

// step is a step that has started. It has no pointers, so that the table of all is not scanned.
type step struct {
	key     uint64
	known   bool // it has a key
	service bool
}

// steps are the steps of a run, which have successive numbers.
type steps struct {
	first event.StepID // number of the first one; 0: there is none
	all   []step
}

// plan adds the steps of a plan.
func (t *steps) plan(graph []event.PlannedStep) {
	for i := range graph {
		if n := graph[i].Step; t.first == 0 || n < t.first && len(t.all) == 0 {
			t.first = n
		}
	}
	t.all = slices.Grow(t.all, len(graph))
}

// of returns the step with a number, to be changed; nil for one of an earlier run.
//
//go:noinline
func (t *steps) of(n event.StepID) *step {
	i := int(n - t.first)
	if i < 0 {
		return nil
	}
	for i >= len(t.all) {
		t.all = append(t.all, step{})
	}
	return &t.all[i]
}

// NewWriter returns a Writer for a store. describe describes errors with secrets masked; nil means
// their own texts.
func NewWriter(s Store, describe func(error) event.Failure) *Writer {
	return &Writer{store: s, enc: event.Encoder{Describe: describe, RunOnce: true}}
}

// Wants implements the interface of reporters.
func (w *Writer) Wants() event.Wants { return event.Wants{Graph: true, Reasons: true} }

// Number returns the number of the current run, or else of the last one; 0 if it is not recorded.
// It reserves the number if necessary.
func (w *Writer) Number() int {
	if w.rec != nil {
		w.rec.create()
		w.number = w.rec.number
	}
	return w.number
}

// mostBefore is the number of events before a run that are kept.
const mostBefore = 1000

// Handle implements the interface of reporters.
func (w *Writer) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		if w.rec != nil {
			w.rec.output(out)
		}
		if out.Release != nil {
			out.Release()
		}
		return
	}
	if started, ok := ev.(*event.RunStarted); ok {
		w.started(started)
	}
	if w.rec == nil {
		if len(w.before) < mostBefore {
			w.before = append(w.before, ev)
		}
		return
	}
	w.note(ev)
	w.rec.add(ev)
	switch ev := ev.(type) {
	case *event.StepSettled:
		if ev.Outcome == event.Failed && w.entry.Counts[event.Failed] <= flushedFailures {
			w.rec.flush()
		}
	case *event.RunFinished:
		if w.open--; w.open <= 0 {
			w.finish()
		}
	}
}

// started begins to record, unless another run is in progress.
func (w *Writer) started(ev *event.RunStarted) {
	if w.open++; w.rec != nil {
		w.entry.Tasks = append(w.entry.Tasks, ev.Tasks...)
		return
	}
	w.enc = event.Encoder{Describe: w.enc.Describe, RunOnce: true}
	w.rec = newRecording(w.store, &w.enc, ev.Time)
	w.entry = Entry{ID: ev.Run, Time: ev.Time.Truncate(time.Microsecond), Tasks: slices.Clone(ev.Tasks), Result: Succeeded, Commit: ev.Commit, Parent: ev.ParentRun}
	w.steps, w.called, w.times = steps{}, false, nil
	for _, ev := range w.before {
		w.rec.add(ev)
	}
	w.before = nil
}

// note extracts the data for the index and the durations from an event.
func (w *Writer) note(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Planned:
		w.entry.Planned += ev.Steps
		w.rec.many = w.entry.Planned > manySteps
		w.enc.Short = w.rec.many
		w.steps.plan(ev.Graph)
	case *event.StepStarted:
		if s := w.steps.of(ev.Step); s != nil {
			s.key, s.known = event.ParseKey(ev.Key)
		}
	case *event.CommandStarted:
		if s := w.steps.of(ev.Step); s != nil && ev.Service {
			s.service = true
		}
	case *event.StepSettled:
		w.settled(ev)
	case *event.BackgroundEnded:
		if ev.Err != nil {
			w.failure(ev.Name)
		}
	case *event.SignalReceived:
		w.called = true
	case *event.RunFinished:
		w.entry.Seconds = max(w.entry.Seconds, ev.Duration.Truncate(time.Microsecond).Seconds())
		switch {
		case ev.Err == nil || w.entry.Result == Failed:
		case w.called && len(w.entry.Failures) == 0:
			w.entry.Result = Cancelled
		default:
			w.entry.Result = Failed
		}
	}
}

func (w *Writer) settled(ev *event.StepSettled) {
	w.entry.Counts[ev.Outcome]++
	s := w.steps.of(ev.Step)
	switch {
	case ev.Outcome == event.Failed && ev.Cause == 0:
		w.failure(ev.Task)
	case ev.Outcome == event.Succeeded && s != nil && s.known && !s.service:
		ms := min(max(0, ev.Duration.Milliseconds()), 1<<32-1)
		w.times = append(w.times, sample{s.key, uint32(ms)})
	}
}

func (w *Writer) failure(label string) {
	if len(w.entry.Failures) < maxNames {
		w.entry.Failures = append(w.entry.Failures, label)
	}
}

// Tick must be called regularly, like the Tick of a reporter.
func (w *Writer) Tick(now time.Time) {
	if w.rec != nil {
		w.rec.tick(now)
	}
}

// finish ends the record of a run.
func (w *Writer) finish() {
	w.entry.Tasks, w.entry.Failures = firstNames(w.entry.Tasks), firstNames(w.entry.Failures)
	w.rec.finish(&w.entry, w.times)
	w.number = w.rec.number
	w.rec, w.steps, w.times, w.open = nil, steps{}, nil, 0
}

// Err implements the interface of reporters. It returns nil: a run continues without its record.
func (w *Writer) Err() error { return nil }

// Close implements the interface of reporters. A run that has not finished is recorded without an
// end.
func (w *Writer) Close() error {
	if w.rec != nil {
		w.rec.flush()
		w.rec.close()
		w.rec = nil
	}
	return nil
}
