// Package event is the closed set of things that can happen in a run.
//
// Events carry facts, not sentences: every display and every report is a
// function of them, so a recorded run can be replayed into any reporter. Per
// step the order is [StepStarted], then what happens in it, then [StepSettled].
// Each type says by tags how its fields stand in event files; files of recorded runs ([Encoder], [Decode]) and masking
// ([Masked]) follow from that. The package knows nothing of who produces or consumes events.
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
	fact  `event:"run_started"`
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string `event:"tasks,omitzero"` // as named on the command line
	Argv  []string `event:"argv,omitzero"`  // the command line, secrets masked, without the program's name
}

// Planned tells that a plan was added to the run: one per call that is
// expanded, so several in a run whose commands call tasks.
type Planned struct {
	fact   `event:"planned"`
	Time   time.Time
	Steps  int    `event:"steps"`
	Edges  int    `event:"edges"`
	Parent StepID `event:"parent,omitzero"` // the step whose body made the call, or 0
}

// VarComputed tells that the command of a dynamic variable was run.
type VarComputed struct {
	fact   `event:"var_computed"`
	Time   time.Time
	Text   string `event:"text"` // the command
	Result string `event:"result"`
}

// DiagnosticFound carries a warning or error about the workflow.
type DiagnosticFound struct {
	fact       `event:"diagnostic"`
	Time       time.Time
	Diagnostic *diag.Diagnostic `event:""`
}

// SignalReceived tells that weft itself got a signal.
type SignalReceived struct {
	fact    `event:"signal_received"`
	Time    time.Time
	Signal  os.Signal `event:"signal"`
	Count   int       `event:"count"`   // of this kind, from 1
	Running int       `event:"running"` // steps that are being stopped
}

// Snapshot is what runs at the moment, which the user asked for by SIGQUIT.
type Snapshot struct {
	fact  `event:"snapshot"`
	Time  time.Time
	Steps []Running `event:"current,omitzero"`
}

// Running is a step that runs, with the processes that belong to it.
type Running struct {
	Task      string    `event:"task"`
	Processes []Process `event:"processes,omitzero"`
}

// Process is one of the operating system's.
type Process struct {
	Pid  int    `event:"pid"`
	Name string `event:"name"` // the kernel's, at most 15 bytes
}

// StillRunning reminds, after an interrupt, of what is being waited for.
type StillRunning struct {
	fact  `event:"still_running"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
}

// Leftover tells of a process that outlived the command which started it,
// when the run has ended: it was stopped, or goes on if it is meant to stay.
type Leftover struct {
	fact `event:"leftover"`
	Time time.Time
	Pid  int    `event:"pid"`
	Name string `event:"name"` // the kernel's, at most 15 bytes
	Kept bool   `event:"kept"`
}

// RunFinished closes every run.
type RunFinished struct {
	fact     `event:"run_finished"`
	Time     time.Time
	Err      error              `event:"error,omitzero"`
	Problems []Problem          `event:"problems,omitzero"` // what Err is made of, as the user is told, the first last; may be nil
	Duration time.Duration      `event:"seconds"`
	Counts   [Cancelled + 1]int `event:"counts"` // steps by Outcome
}

// Problem is one reason why a run failed, in words.
type Problem struct {
	Text    string `event:"text"`             // one line or several, without the last newline
	Excerpt string `event:"excerpt,omitzero"` // of the file it is about, with its last newline; "" means none
}
