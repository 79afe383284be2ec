package model

import (
	"os"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// step returns a step, and creates it if necessary.
//
//go:noinline
func (f *Folder) step(id event.StepID) *Step {
	if s := f.run.byID[id]; s != nil {
		return s
	}
	s := &Step{ID: id}
	f.run.add(s)
	return s
}

//go:noinline
func (r *Run) add(s *Step) {
	r.Steps = append(r.Steps, s)
	r.byID[s.ID] = s
}

func (f *Folder) planned(ev *event.Planned) {
	at := f.at(ev.Time)
	var caller *Step
	if ev.Parent != 0 {
		caller = f.step(ev.Parent)
	}
	for i := range ev.Graph {
		p := &ev.Graph[i]
		s := f.step(p.Step)
		if caller != nil {
			caller.Called = append(caller.Called, p.Step)
		}
		if !s.Planned.IsZero() {
			continue // part of another plan, too
		}
		s.Name, s.Label, s.Key, s.Pos = p.Name, p.Label, p.Key, p.Pos
		s.Alone, s.Service, s.Needs = p.Alone, p.Service, p.Needs
		s.Caller, s.Planned = ev.Parent, at
	}
}

func (f *Folder) stepStarted(ev *event.StepStarted) {
	at := f.at(ev.Time)
	s := f.step(ev.Step)
	s.goOn(at)
	s.Parent, s.Name, s.Label, s.Pos = ev.Parent, ev.Name, ev.Task, ev.Pos
	s.Reasons, s.Env, s.Part = ev.Reasons, ev.Env, ev.Internal || ev.GivenVars
	if ev.Key != "" {
		s.Key = ev.Key
	}
	s.Started = at
}

func (f *Folder) ready(ev *event.Ready) {
	at := f.at(ev.Time)
	s := f.step(ev.Step)
	s.Service, s.Restarts = true, ev.Restarts
	if s.Ready.IsZero() {
		s.Ready = at
	}
}

func (f *Folder) stepSettled(ev *event.StepSettled) {
	at := f.at(ev.Time)
	s := f.step(ev.Step)
	s.goOn(at)
	s.resume(at)
	if at.Before(s.Started) {
		at = s.Started
	}
	s.Settled, s.Part = at, s.Part || ev.Internal
	s.Parent, s.Cause, s.Name, s.Label = ev.Parent, ev.Cause, ev.Name, ev.Task
	s.Outcome, s.Code, s.Signal = ev.Outcome, ev.Code, signalName(ev.Signal)
	s.Err = f.failure(ev.Err)
	s.Duration, s.Usage, s.OOM = ev.Duration.Truncate(time.Microsecond), micros(ev.Usage), ev.OOM
	s.Fingerprint, s.Place, s.Inputs, s.Wrote = ev.Fingerprint, ev.Place, ev.Inputs, ev.Wrote
}

// goOn ends the current wait of s.
func (s *Step) goOn(at time.Time) { end(s.Waits, at) }

// resume ends a suspension.
func (s *Step) resume(at time.Time) {
	end(s.Suspended, at)
	s.calledBefore = len(s.Called)
}

// end ends the last interval, if it is open.
func end(all []Interval, at time.Time) {
	if n := len(all); n > 0 && all[n-1].To.IsZero() {
		all[n-1].To = at
		if at.Before(all[n-1].From) {
			all[n-1].To = all[n-1].From
		}
	}
}

// command adds an event of a command.
func (f *Folder) command(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		s := f.step(ev.Step)
		s.Written += max(int64(len(ev.Data)), ev.Length)
	case *event.CommandStarted:
		at := f.at(ev.Time)
		s := f.step(ev.Step)
		s.goOn(at)
		s.Service = s.Service || ev.Service
		c := &Command{Index: ev.Command, Text: ev.Text, Dir: ev.Dir, Argv: ev.Argv, Pos: ev.Pos, Attempt: ev.Attempt, Attempts: ev.Attempts, Started: at,
			Service: ev.Service, Background: ev.Background, Replayed: ev.Replayed, DryRun: ev.DryRun, Relayed: ev.Relayed, From: s.Written}
		if at.Before(s.Started) {
			c.Started = s.Started
		}
		if ev.DryRun {
			c.Ended = c.Started
		}
		s.Commands = append(s.Commands, c)
	case *event.CommandEnded:
		at := f.at(ev.Time)
		s := f.step(ev.Step)
		c := s.running(ev.Command)
		if c == nil {
			return
		}
		c.To = s.Written
		if c.Ended = at; at.Before(c.Started) {
			c.Ended = c.Started
		}
		c.Code, c.Signal, c.Members, c.Usage = ev.Code, signalName(ev.Signal), ev.Members, micros(ev.Usage)
		c.Err = f.failure(ev.Err)
		c.Duration = ev.Duration.Truncate(time.Microsecond)
	case *event.AttemptFailed:
		at := f.at(ev.Time)
		s := f.step(ev.Step)
		a := &Attempt{Command: ev.Command, Attempt: ev.Attempt, Of: ev.Attempts, Code: ev.Code, Signal: signalName(ev.Signal),
			Time: at, Duration: ev.Duration.Truncate(time.Microsecond), Delay: ev.Delay.Truncate(time.Microsecond)}
		a.Err = f.failure(ev.Err)
		s.Attempts = append(s.Attempts, a)
	}
}

// running returns the running command with this index, or nil.
func (s *Step) running(index int) *Command {
	for i := len(s.Commands) - 1; i >= 0; i-- {
		if c := s.Commands[i]; c.Index == index && c.Ended.IsZero() {
			return c
		}
	}
	return nil
}

// micros rounds u to microseconds.
func micros(u event.Usage) event.Usage {
	u.User, u.System = u.User.Truncate(time.Microsecond), u.System.Truncate(time.Microsecond)
	return u
}

func signalName(sig os.Signal) string {
	if sig == nil {
		return ""
	}
	return sig.String()
}
