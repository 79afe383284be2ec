package model

import (
	"cmp"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Folder folds events into a [Run]. The zero Folder is ready to use. It is not safe for
// concurrent use.
type Folder struct {
	// Describe describes an error with secrets masked, as [event.Encoder] does; nil means its Error
	// text only.
	Describe func(error) event.Failure

	run  *Run
	open int // runs that have not finished
}

// Run returns the current state of the run, or nil before the first run. It belongs to f until the
// next run starts.
func (f *Folder) Run() *Run { return f.run }

// Ended reports whether at least one run has started and all have finished.
func (f *Folder) Ended() bool { return f.run != nil && f.open == 0 }

// Handle adds an event. It keeps no reference to an [event.Output], and does not release it.
func (f *Folder) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.RunStarted:
		f.started(ev)
		return
	}
	if f.run == nil {
		return
	}
	switch ev := ev.(type) {
	case *event.RunFinished:
		f.finished(ev)
	case *event.SignalReceived:
		if f.at(ev.Time); f.run.Signal == "" {
			f.run.Signal = signalName(ev.Signal)
		}
	case *event.Planned:
		f.planned(ev)
	case *event.Waiting:
		at := f.at(ev.Time)
		s := f.step(ev.Step)
		s.goOn(at)
		s.Waits = append(s.Waits, Interval{From: at, For: ev.For})
	case *event.StepStarted:
		f.stepStarted(ev)
	case *event.StepChecked:
		f.at(ev.Time)
		f.step(ev.Step).Reasons = ev.Reasons
	case *event.TaskSkipped:
		f.at(ev.Time)
		f.step(ev.Step).Skip = ev.Reason
	case *event.PreconditionFailed:
		f.at(ev.Time)
		f.step(ev.Step).Precondition = ev.Message
	case *event.Suspended:
		at := f.at(ev.Time)
		s := f.step(ev.Step)
		s.goOn(at)
		s.Suspended = append(s.Suspended, Interval{From: at, called: s.calledBefore})
	case *event.Resumed:
		at := f.at(ev.Time)
		f.step(ev.Step).resume(at)
	case *event.Ready:
		f.ready(ev)
	case *event.Restarted:
		f.at(ev.Time)
		s := f.step(ev.Step)
		s.Service, s.Restarts = true, ev.Restarts
	case *event.StepSettled:
		f.stepSettled(ev)
	default:
		f.command(ev)
	}
}

// at returns an event's time in microseconds and UTC, never before the start of the run, even if
// the clock was set back.
func (f *Folder) at(t time.Time) time.Time {
	t = t.Truncate(time.Microsecond).UTC()
	if t.Before(f.run.Started) {
		t = f.run.Started
	}
	if t.After(f.run.Last) {
		f.run.Last = t
	}
	return t
}

// failure describes an error.
func (f *Folder) failure(err error) Failure {
	if err == nil {
		return Failure{}
	}
	e, described := err.(*event.Failure)
	if !described {
		e = &event.Failure{Text: err.Error(), Shown: err.Error()}
		if f.Describe != nil {
			*e = f.Describe(err)
		}
	}
	return Failure{Text: cmp.Or(e.Shown, "failed"), Reason: cmp.Or(e.Reason, e.Text), Kind: cmp.Or(e.Kind, "exit")}
}

// started begins a run, or adds one to the current batch. Steps that outlive a run are also part of
// the next one.
func (f *Folder) started(ev *event.RunStarted) {
	f.open++
	if f.open > 1 {
		f.at(ev.Time)
		f.run.Tasks = append(f.run.Tasks, ev.Tasks...)
		return
	}
	last := f.run
	f.run = &Run{ID: ev.Run, Weft: ev.Weft, Tasks: ev.Tasks[:len(ev.Tasks):len(ev.Tasks)], Argv: ev.Argv, Dir: ev.Dir, Root: ev.Root, Limit: ev.Limit,
		Commit: ev.Commit, CI: ev.CI, Host: ev.Host, ParentRun: ev.ParentRun, ParentStep: ev.ParentStep, byID: map[event.StepID]*Step{}}
	f.run.Started = f.at(ev.Time)
	if last == nil {
		return
	}
	for _, s := range last.Steps {
		if !s.Started.IsZero() && s.Settled.IsZero() {
			carried := *s
			carried.Started, carried.Planned = f.at(s.Started), time.Time{} // it was not queued in this one
			f.run.add(&carried)
		}
	}
}

func (f *Folder) finished(ev *event.RunFinished) {
	r := f.run
	f.at(ev.Time)
	for o, n := range ev.Counts {
		r.Counts[o] += n
	}
	if ev.Err != nil && !r.Failed {
		r.Failed, r.Err = true, f.failure(ev.Err)
	}
	r.Problems = append(r.Problems, ev.Problems...)
	if f.open = max(0, f.open-1); f.open == 0 {
		r.Finished = r.Last
		r.Duration = r.Finished.Sub(r.Started)
	}
}
