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
type Event interface{ code(c *coder) }

// RunStarted opens every run.
type RunStarted struct {
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string // as named on the command line
	Argv  []string // the command line, secrets masked, without the program's name
}

func (ev *RunStarted) code(c *coder) {
	c.event("run_started", &ev.Time)
	version := Version
	number(c, "version", &version)
	if c.err == nil && version != Version {
		c.err = &VersionError{version}
	}
	if c.reading {
		c.textOrNone("run", &ev.Run)
	}
	c.texts("tasks", &ev.Tasks)
	c.texts("argv", &ev.Argv)
}

// Planned tells that a plan was added to the run: one per call that is
// expanded, so several in a run whose commands call tasks.
type Planned struct {
	Time   time.Time
	Steps  int
	Edges  int
	Parent StepID // the step whose body made the call, or 0
}

func (ev *Planned) code(c *coder) {
	c.event("planned", &ev.Time)
	number(c, "steps", &ev.Steps)
	number(c, "edges", &ev.Edges)
	numberOrNone(c, "parent", &ev.Parent)
}

// VarComputed tells that the command of a dynamic variable was run.
type VarComputed struct {
	Time   time.Time
	Text   string // the command
	Result string
}

func (ev *VarComputed) code(c *coder) {
	c.event("var_computed", &ev.Time)
	c.text("text", &ev.Text)
	c.text("result", &ev.Result)
}

// DiagnosticFound carries a warning or error about the workflow.
type DiagnosticFound struct {
	Time       time.Time
	Diagnostic *diag.Diagnostic
}

func (ev *DiagnosticFound) code(c *coder) {
	c.event("diagnostic", &ev.Time)
	if c.reading {
		ev.Diagnostic = new(diag.Diagnostic)
	}
	d := ev.Diagnostic
	c.position(&d.Pos)
	named(c, "severity", &d.Severity)
	named(c, "kind", &d.Kind)
	c.text("what", &d.What)
	c.textOrNone("why", &d.Why)
	c.textOrNone("fix", &d.Fix)
}

// SignalReceived tells that weft itself got a signal.
type SignalReceived struct {
	Time    time.Time
	Signal  os.Signal
	Count   int // of this kind, from 1
	Running int // steps that are being stopped
}

func (ev *SignalReceived) code(c *coder) {
	c.event("signal_received", &ev.Time)
	c.signal("signal", &ev.Signal)
	number(c, "count", &ev.Count)
	number(c, "running", &ev.Running)
}

// Snapshot is what runs at the moment, which the user asked for by SIGQUIT.
type Snapshot struct {
	Time  time.Time
	Steps []Running
}

func (ev *Snapshot) code(c *coder) {
	c.event("snapshot", &ev.Time)
	objects(c, "current", &ev.Steps, codeRunning)
}

// Running is a step that runs, with the processes that belong to it.
type Running struct {
	Task      string
	Processes []Process
}

func codeRunning(c *coder, r *Running) {
	c.text("task", &r.Task)
	objects(c, "processes", &r.Processes, codeProcess)
}

// Process is one of the operating system's.
type Process struct {
	Pid  int
	Name string // the kernel's, at most 15 bytes
}

func codeProcess(c *coder, p *Process) {
	number(c, "pid", &p.Pid)
	c.text("name", &p.Name)
}

// StillRunning reminds, after an interrupt, of what is being waited for.
type StillRunning struct {
	Time  time.Time
	Tasks []string
}

func (ev *StillRunning) code(c *coder) {
	c.event("still_running", &ev.Time)
	c.texts("tasks", &ev.Tasks)
}

// Leftover tells of a process that outlived the command which started it,
// when the run has ended: it was stopped, or goes on if it is meant to stay.
type Leftover struct {
	Time time.Time
	Pid  int
	Name string // the kernel's, at most 15 bytes
	Kept bool
}

func (ev *Leftover) code(c *coder) {
	c.event("leftover", &ev.Time)
	number(c, "pid", &ev.Pid)
	c.text("name", &ev.Name)
	c.boolean("kept", &ev.Kept)
}

// RunFinished closes every run.
type RunFinished struct {
	Time     time.Time
	Counts   [Cancelled + 1]int // steps by Outcome
	Err      error
	Duration time.Duration
	Problems []Problem // what Err is made of, as the user is told, the first last; may be nil
}

func (ev *RunFinished) code(c *coder) {
	c.event("run_finished", &ev.Time)
	c.failure(&ev.Err)
	objects(c, "problems", &ev.Problems, codeProblem)
	c.seconds("seconds", &ev.Duration)
	c.within("counts", func(c *coder) {
		for o := Succeeded; o <= Cancelled; o++ {
			number(c, o.String(), &ev.Counts[o])
		}
	})
}

// Problem is one reason why a run failed, in words.
type Problem struct {
	Text    string // one line or several, without the last newline
	Excerpt string // of the file it is about, with its last newline; "" means none
}

func codeProblem(c *coder, p *Problem) {
	c.text("text", &p.Text)
	c.textOrNone("excerpt", &p.Excerpt)
}
