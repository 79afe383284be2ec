// Package event is the closed set of things that can happen in a run.
//
// Events carry facts, not sentences: every display and every report is a function of them, so a
// recorded run can be replayed into any reporter. Per step the order is [StepStarted], then the
// events within it, then [StepSettled]. The tags of each type define its fields in event files; the
// files of recorded runs ([Encoder], [Decode]) and masking ([Masked]) follow from them. The package
// knows nothing of producers or consumers of events.
package event

import (
	"os"
	"slices"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// StepID numbers the steps of one run from 1; 0 means "no step".
type StepID int32

// Event is one thing that happened. The set of types in this package that
// implement it is closed.
type Event interface {
	event()
}

// RunStarted opens every run.
type RunStarted struct {
	fact  `event:"run_started"`
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string `event:"tasks,omitzero"` // as given on the command line
	Argv  []string `event:"argv,omitzero"`  // the command line, secrets masked, without the program's name
	Style string   `event:"style,omitzero"` // output style chosen by default because there are services; usually ""

	Terminals bool `event:"terminals,omitzero"` // steps that run side by side write to pseudo-terminals

	// The following fields are zero unless [Wants] include Graph.

	Weft  string `event:"weft,omitzero"`  // version of the program
	Dir   string `event:"dir,omitzero"`   // directory in which weft was started, absolute
	Root  string `event:"root,omitzero"`  // the directory of the Taskfile, absolute
	Limit int    `event:"limit,omitzero"` // maximum number of slots; 0 means the soft limit
	// Commit is the git commit checked out in Root, in full hexadecimal digits. It is "" if Root is
	// not in a repository, or in one without commits.
	Commit string `event:"commit,omitzero"`
	Host   string `event:"host,omitzero"` // name of the machine; "" unless [Wants] include Graph
	CI     string `event:"ci,omitzero"`   // CI system, as named by --ci; "" for none
	// ParentRun and ParentStep identify the step of another weft that started this run.
	ParentRun  string `event:"parent_run,omitzero"`  // "" for none
	ParentStep StepID `event:"parent_step,omitzero"` // 0 if no single step started it, as for a dynamic variable
}

// Planned means that a plan was added to the run: one per expanded call, so a run whose commands
// call tasks has several.
type Planned struct {
	fact   `event:"planned"`
	Time   time.Time
	Steps  int           `event:"steps"`
	Edges  int           `event:"edges"`
	Parent StepID        `event:"parent,omitzero"` // the step whose body made the call, or 0
	Graph  []PlannedStep `event:"graph,omitzero"`  // in execution order with one slot; nil unless [Wants] include it
}

func (ev *Planned) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"planned","time":"`, ev.Time)
	b = number(b, `,"steps":`, int64(ev.Steps))
	b = number(b, `,"edges":`, int64(ev.Edges))
	b = numberIf(b, `,"parent":`, int64(ev.Parent))
	if ev.Graph != nil {
		b = append(slices.Grow(b, plannedStepSize*len(ev.Graph)), `,"graph":[`...)
		for i := range ev.Graph {
			if i > 0 {
				b = append(b, ',')
			}
			b = ev.Graph[i].encode(e, b)
		}
		b = append(b, ']')
	}
	return b
}

// VarComputed means that the command of a dynamic variable was run.
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

// SignalReceived means that weft itself received a signal.
type SignalReceived struct {
	fact    `event:"signal_received"`
	Time    time.Time
	Signal  os.Signal `event:"signal"`
	Count   int       `event:"count"`   // of this kind, from 1
	Running int       `event:"running"` // steps that are being stopped
}

// Snapshot lists the running steps, requested by SIGQUIT.
type Snapshot struct {
	fact  `event:"snapshot"`
	Time  time.Time
	Steps []Running `event:"current,omitzero"`
}

// Running is a running step with its processes.
type Running struct {
	Task      string    `event:"task"`
	Processes []Process `event:"processes,omitzero"`
}

// Process is an operating-system process.
type Process struct {
	Pid  int    `event:"pid"`
	Name string `event:"name"` // the kernel's, at most 15 bytes
}

// StillRunning lists, after an interrupt, the steps that are still running.
type StillRunning struct {
	fact  `event:"still_running"`
	Time  time.Time
	Tasks []string `event:"tasks,omitzero"`
}

// Leftover reports a process that outlived the command which started it when the run has ended: it
// was stopped, or keeps running if it is meant to.
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
	Problems []Problem          `event:"problems,omitzero"` // parts of Err, as shown to the user, the first last; may be nil
	Duration time.Duration      `event:"seconds"`
	Counts   [Cancelled + 1]int `event:"counts"` // steps by Outcome
}

// Problem is one reason why a run failed.
type Problem struct {
	Text    string `event:"text"`             // one or more lines, without the last newline
	Excerpt string `event:"excerpt,omitzero"` // of the file it concerns, with its last newline; "" for none
}
