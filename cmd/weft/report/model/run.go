// Package model represents a run as reports need it: its steps, their commands and attempts, and
// their waiting times.
//
// A [Folder] builds a [Run] from live or recorded events, with the same result: times have
// microseconds. Reports of a whole run are functions of it. The package does not keep the output of
// commands, and does not know how anything is shown.
package model

import (
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// Run is one run; in watch mode it is one batch of overlapping runs. All times are in UTC with
// microseconds, and none precedes Started.
type Run struct {
	ID         string
	Weft       string   // version of the program
	Tasks      []string // as given on the command line
	Argv       []string // the command line without the program's name, secrets masked
	Dir, Root  string   // start directory, and directory of the Taskfile
	Commit     string   // git commit, or ""
	CI         string   // CI system, or ""
	Host       string   // machine name, or ""
	ParentRun  string   // run that started this one as a command, or ""
	ParentStep event.StepID
	Limit      int // maximum number of concurrent steps; 0: unknown

	Started  time.Time
	Finished time.Time     // zero while the run is in progress, or if it was killed
	Last     time.Time     // of the last event; Finished when that is known
	Duration time.Duration // 0 while the run is in progress
	Failed   bool
	Err      Failure
	Counts   [event.Cancelled + 1]int // steps by outcome
	Problems []event.Problem          // why it failed
	Signal   string                   // first signal that weft itself received; "" for none

	Steps []*Step // in order of their first event
	byID  map[event.StepID]*Step
}

// Step returns the step with this ID, or nil.
func (r *Run) Step(id event.StepID) *Step { return r.byID[id] }

// Name returns the tasks of the command line, else "default".
//
//go:noinline
func (r *Run) Name() string {
	if len(r.Tasks) == 0 {
		return "default"
	}
	name := r.Tasks[0]
	for _, t := range r.Tasks[1:] {
		name += " " + t
	}
	return name
}

// Step is one step of a run. A zero time means that the event has not happened.
type Step struct {
	ID     event.StepID
	Parent event.StepID   // the step that needs or calls it, or 0
	Caller event.StepID   // the step that called it in its commands, or 0
	Cause  event.StepID   // the step whose failure caused this one, if it did not fail itself
	Name   string         // full, callable task name
	Label  string         // displayed name: label or task name
	Key    string         // identifies the step across runs; "" if unknown
	Pos    diag.Pos       // of the task
	Needs  []event.Need   // only known if the graph was planned
	Called []event.StepID // steps called by its commands, needs included; known like Needs
	Alone  bool           // nothing could run concurrently; known like Needs
	Part   bool           // it cannot run by name: internal, or its caller gave it variables

	Planned, Started, Settled time.Time
	Ready                     time.Time  // when a service became ready first
	Waits                     []Interval // waiting times except for needs
	Suspended                 []Interval // waiting times for called tasks
	Commands                  []*Command // all attempts, in start order
	Attempts                  []*Attempt // failed attempts that were retried

	Service      bool
	Restarts     int          // of a service
	Written      int64        // output of all its commands relayed by weft, in bytes
	calledBefore int          // number of Called in past suspensions
	Reasons, Env []string     // why it ran; names of its variables
	Precondition string       // message of the failed precondition, or ""
	Skip         event.Reason // why it was skipped; usually ""

	Outcome     event.Outcome // 0 until it settles
	Code        int           // exit status of the failed command, or 0
	Signal      string        // signal that ended the failed command, or ""
	Err         Failure
	Duration    time.Duration
	Usage       event.Usage
	OOM         bool // killed because memory was short
	Fingerprint string
	Place       event.Place // "" if unknown
	Inputs      event.Inputs
	Wrote       []string // created files
}

// Command is one attempt of one command.
type Command struct {
	Index             int    // within the step, from 0
	Text, Dir         string // as shown
	Argv              []string
	Pos               diag.Pos
	Attempt, Attempts int
	Started, Ended    time.Time
	Duration          time.Duration
	Code              int
	Signal            string
	Err               Failure
	Usage             event.Usage
	Members           []event.Member
	Service           bool
	Background        bool // its step does not wait for it
	Replayed          bool // from the cache
	DryRun            bool
	Relayed           bool  // its output was relayed by weft
	From, To          int64 // byte range of its output in the log of its step; other commands may have written there, too
}

// Attempt is an attempt of a command that failed and was retried.
type Attempt struct {
	Command         int
	Attempt, Of     int
	Code            int
	Signal          string
	Err             Failure
	Time            time.Time // time of its end
	Duration, Delay time.Duration
}

// Failure describes a failure. The zero Failure means success.
type Failure struct {
	Text   string     // as shown in messages; never "" for a failure
	Reason string     // short form, for a line that already names what failed
	Kind   event.Kind // ByStatus is "exit" here
}

// Interval is a time interval. To is zero while it lasts.
type Interval struct {
	From, To time.Time
	For      event.Resource // awaited resource; "" for a suspension
	called   int            // of a suspension: index in Called of its first step
}

// End returns when the step ended, or else the last known time of the run.
//
//go:noinline
func (r *Run) End(s *Step) time.Time {
	if s.Settled.IsZero() {
		return r.Last
	}
	return s.Settled
}

// Flaky reports whether s succeeded after a failed attempt.
func (s *Step) Flaky() bool { return s.Outcome == event.Succeeded && len(s.Attempts) > 0 }

// Fault returns the step whose failure made s fail, be skipped or be cancelled. It is s itself if s
// failed itself, and nil if no step is to blame.
func (r *Run) Fault(s *Step) *Step {
	for range r.Steps { // bounded because a record may contradict itself
		switch {
		case s == nil || s.Root():
			return s
		case s.Cause == 0:
			return nil
		}
		s = r.byID[s.Cause]
	}
	return nil
}

// Root reports whether s failed itself, not because of another step.
func (s *Step) Root() bool { return s.Outcome == event.Failed && s.Cause == 0 }
