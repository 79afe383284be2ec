// Package event is the closed set of things that can happen in a run.
//
// Events carry facts, not sentences: every display and every report is a
// function of them, so a recorded run can be replayed into any reporter. Per
// step the order is [StepStarted], then what happens in it, then [StepSettled].
// The package knows nothing of who produces or consumes events.
package event

import (
	"os"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// StepID numbers the steps of one run from 1; 0 means "no step".
type StepID int32

// Event is one thing that happened. The set of types in this package that
// implement it is closed.
type Event interface{ event() }

// RunStarted opens every run.
type RunStarted struct {
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string // as named on the command line
}

// Planned tells that a plan was added to the run: one per call that is
// expanded, so several in a run whose commands call tasks.
type Planned struct {
	Time   time.Time
	Steps  int
	Edges  int
	Parent StepID // the step whose body made the call, or 0
}

// VarComputed tells that the command of a dynamic variable was run.
type VarComputed struct {
	Time    time.Time
	Command string
	Result  string
}

// DiagnosticFound carries a warning or error about the workflow.
type DiagnosticFound struct {
	Time       time.Time
	Diagnostic *diag.Diagnostic
}

// SignalReceived tells that weft itself got a signal.
type SignalReceived struct {
	Time    time.Time
	Signal  os.Signal
	Count   int // of this kind, from 1
	Running int // steps that are being stopped
}

// Snapshot is what runs at the moment, which the user asked for by SIGQUIT.
type Snapshot struct {
	Time  time.Time
	Steps []Running
}

// Running is a step that runs, with the processes that belong to it.
type Running struct {
	Task      string
	Processes []Process
}

// Process is one of the operating system's.
type Process struct {
	Pid  int
	Name string // the kernel's, at most 15 bytes
}

// StillRunning reminds, after an interrupt, of what is being waited for.
type StillRunning struct {
	Time  time.Time
	Tasks []string
}

// Leftover tells of a process that outlived the command which started it,
// when the run has ended: it was stopped, or goes on if it is meant to stay.
type Leftover struct {
	Time time.Time
	Pid  int
	Name string // the kernel's, at most 15 bytes
	Kept bool
}

// RunFinished closes every run.
type RunFinished struct {
	Time     time.Time
	Counts   [Cancelled + 1]int // steps by Outcome
	Err      error
	Duration time.Duration
}

func (*RunStarted) event()         {}
func (*Planned) event()            {}
func (*VarComputed) event()        {}
func (*StepStarted) event()        {}
func (*TaskSkipped) event()        {}
func (*PreconditionFailed) event() {}
func (*PromptAssumed) event()      {}
func (*StatusChecked) event()      {}
func (*Waiting) event()            {}
func (*CommandStarted) event()     {}
func (*GroupLines) event()         {}
func (*Output) event()             {}
func (*CommandEnded) event()       {}
func (*CommandSkipped) event()     {}
func (*AttemptFailed) event()      {}
func (*StopFailed) event()         {}
func (*ErrorIgnored) event()       {}
func (*BodyEnded) event()          {}
func (*DeferFailed) event()        {}
func (*Suspended) event()          {}
func (*Resumed) event()            {}
func (*StepSettled) event()        {}
func (*WatchStarted) event()       {}
func (*WatchTriggered) event()     {}
func (*WatchEnded) event()         {}
func (*WatchFailed) event()        {}
func (*DiagnosticFound) event()    {}
func (*SignalReceived) event()     {}
func (*Snapshot) event()           {}
func (*StillRunning) event()       {}
func (*Leftover) event()           {}
func (*RunFinished) event()        {}
