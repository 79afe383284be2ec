// Package event is the closed set of things that can happen in a run.
//
// Events carry facts, not sentences: every display and every report is a
// function of them, so a recorded run can be replayed into any reporter. Per
// step the order is [StepStarted], then what happens in it, then [StepSettled].
// Each type lists its fields once; files of recorded runs ([Encoder], [Decode]) and masking
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
type Event interface{ fields(v visitor) }

// RunStarted opens every run.
type RunStarted struct {
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string // as named on the command line
	Argv  []string // the command line, secrets masked, without the program's name
}

func (ev *RunStarted) fields(v visitor) {
	v.begin("run_started", &ev.Time)
	if version := v.number("version", Version); version != Version {
		v.fail(&VersionError{version})
	}
	if v.has("run", false) { // else it is on every line
		v.text("run", &ev.Run)
	}
	texts(v, "tasks", &ev.Tasks)
	texts(v, "argv", &ev.Argv)
}

// Planned tells that a plan was added to the run: one per call that is
// expanded, so several in a run whose commands call tasks.
type Planned struct {
	Time   time.Time
	Steps  int
	Edges  int
	Parent StepID // the step whose body made the call, or 0
}

func (ev *Planned) fields(v visitor) {
	v.begin("planned", &ev.Time)
	number(v, "steps", &ev.Steps)
	number(v, "edges", &ev.Edges)
	numberOrNone(v, "parent", &ev.Parent)
}

// VarComputed tells that the command of a dynamic variable was run.
type VarComputed struct {
	Time   time.Time
	Text   string // the command
	Result string
}

func (ev *VarComputed) fields(v visitor) {
	v.begin("var_computed", &ev.Time)
	v.text("text", &ev.Text)
	v.text("result", &ev.Result)
}

// DiagnosticFound carries a warning or error about the workflow.
type DiagnosticFound struct {
	Time       time.Time
	Diagnostic *diag.Diagnostic
}

func (ev *DiagnosticFound) fields(v visitor) {
	v.begin("diagnostic", &ev.Time)
	var d diag.Diagnostic
	if ev.Diagnostic != nil {
		d = *ev.Diagnostic
	}
	ev.Diagnostic = &d
	position(v, &d.Pos)
	named(v, "severity", &d.Severity)
	named(v, "kind", &d.Kind)
	v.text("what", &d.What)
	textOrNone(v, "why", &d.Why)
	textOrNone(v, "fix", &d.Fix)
}

// SignalReceived tells that weft itself got a signal.
type SignalReceived struct {
	Time    time.Time
	Signal  os.Signal
	Count   int // of this kind, from 1
	Running int // steps that are being stopped
}

func (ev *SignalReceived) fields(v visitor) {
	v.begin("signal_received", &ev.Time)
	signal(v, &ev.Signal)
	number(v, "count", &ev.Count)
	number(v, "running", &ev.Running)
}

// Snapshot is what runs at the moment, which the user asked for by SIGQUIT.
type Snapshot struct {
	Time  time.Time
	Steps []Running
}

func (ev *Snapshot) fields(v visitor) {
	v.begin("snapshot", &ev.Time)
	objects(v, "current", &ev.Steps, fieldsOfRunning)
}

// Running is a step that runs, with the processes that belong to it.
type Running struct {
	Task      string
	Processes []Process
}

func fieldsOfRunning(v visitor, r *Running) {
	v.text("task", &r.Task)
	objects(v, "processes", &r.Processes, fieldsOfProcess)
}

// Process is one of the operating system's.
type Process struct {
	Pid  int
	Name string // the kernel's, at most 15 bytes
}

func fieldsOfProcess(v visitor, p *Process) {
	number(v, "pid", &p.Pid)
	v.text("name", &p.Name)
}

// StillRunning reminds, after an interrupt, of what is being waited for.
type StillRunning struct {
	Time  time.Time
	Tasks []string
}

func (ev *StillRunning) fields(v visitor) {
	v.begin("still_running", &ev.Time)
	texts(v, "tasks", &ev.Tasks)
}

// Leftover tells of a process that outlived the command which started it,
// when the run has ended: it was stopped, or goes on if it is meant to stay.
type Leftover struct {
	Time time.Time
	Pid  int
	Name string // the kernel's, at most 15 bytes
	Kept bool
}

func (ev *Leftover) fields(v visitor) {
	v.begin("leftover", &ev.Time)
	number(v, "pid", &ev.Pid)
	v.text("name", &ev.Name)
	v.boolean("kept", &ev.Kept)
}

// RunFinished closes every run.
type RunFinished struct {
	Time     time.Time
	Counts   [Cancelled + 1]int // steps by Outcome
	Err      error
	Duration time.Duration
	Problems []Problem // what Err is made of, as the user is told, the first last; may be nil
}

func (ev *RunFinished) fields(v visitor) {
	v.begin("run_finished", &ev.Time)
	failure(v, &ev.Err)
	objects(v, "problems", &ev.Problems, fieldsOfProblem)
	v.seconds("seconds", &ev.Duration)
	v.object("counts", func(v visitor) {
		for o := Succeeded; o <= Cancelled; o++ {
			number(v, o.String(), &ev.Counts[o])
		}
	})
}

// Problem is one reason why a run failed, in words.
type Problem struct {
	Text    string // one line or several, without the last newline
	Excerpt string // of the file it is about, with its last newline; "" means none
}

func fieldsOfProblem(v visitor, p *Problem) {
	v.text("text", &p.Text)
	textOrNone(v, "excerpt", &p.Excerpt)
}
