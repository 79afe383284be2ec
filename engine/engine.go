// Package engine is what happens: it wires the planner, the scheduler and the
// executor to one workflow. Read this first.
//
// Bytes become a Workflow (package schema), a Call on it becomes a Plan
// (package plan), one loop runs it (package sched) with the help of executors
// (package executor) and emits Events (package event). The engine prints
// nothing: everything it has to say is an event or an error.
package engine

import (
	"context"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema"
)

// Options configure an Engine. The zero value runs Workflow with default
// behaviour, no input and no events.
type Options struct {
	Workflow *schema.Workflow
	Environ  []string    // the process environment; nil means empty
	CLIVars  schema.Vars // NAME=value, in order
	CLIArgs  []string    // what stands after --
	UserDir  string      // the directory weft was started in, absolute
	Exe      string      // argv[0], for TASK_EXE
	Version  string      // weft's own version, for WEFT_VERSION
	TempDir  string      // state directory; "" means .weft in the root directory

	Concurrency int    // hard limit of running steps; 0 means the soft limit
	Output      string // output style, resolved: interleaved, group, prefixed
	Begin, End  schema.Text

	Parallel    bool // several calls at once
	KeepGoing   bool // several calls: go on after one failed
	Force       bool // run although up to date
	ForceAll    bool // with GentleForce: also what is needed or called
	GentleForce bool // experiment: Force is for the calls only
	Dry         bool
	// Still engines only describe the workflow: no dynamic variable is ever run.
	Still       bool
	Silent      bool
	Verbose     bool
	Failfast    bool
	AssumeYes   bool
	Interactive bool // ask for missing required variables
	Offline     bool // only shown to templates, as CLI_OFFLINE

	EnvPrecedence bool // experiment: Taskfile env beats the process environment
	Reference     bool // what scripts fail on is told in the reference's words alone
	CoreUtils     bool // the shell has cp, rm and the like built in, where the system has none

	Stdin          *os.File // given to steps that may read; nil means none
	Stdout, Stderr *os.File // inherited by commands in interleaved mode
	Ask            Asker    // answers prompts; nil refuses them

	// Interrupt sends SIGINT to weft's whole process group, as the terminal would
	// have, had it not been lent to a command: a script that called weft is to
	// stop, too. It must lead to Signal. Nil: Signal is called instead.
	Interrupt func()

	// Sink receives every event, from one goroutine at a time, in order. Secrets are
	// masked in all of its texts; not in its errors.
	Sink func(event.Event)

	// Secrets are what is not to be shown; the engine adds what it finds to be secret.
	// Nil: it has its own.
	Secrets *pipe.Secrets
	// MaskOutput has commands write through weft where they would have weft's own streams,
	// if the workflow has secret variables, so that these are masked.
	MaskOutput bool
}

// Asker puts questions to the user. Its methods are called from one goroutine
// at a time, after every earlier event has been handed to the sink.
type Asker interface {
	// Confirm shows text and reports whether the answer was yes.
	// ErrNoTerminal is returned when nobody can answer.
	Confirm(ctx context.Context, text string) (bool, error)
	// Value asks for the value of a variable; choices, if any, are the
	// allowed ones.
	Value(ctx context.Context, name string, choices []string) (string, error)
}

// TaskInfo describes a task for listings.
type TaskInfo struct {
	Task     *schema.Task
	Name     string // label, else full name
	Desc     string // templated in fast mode
	Summary  string
	UpToDate *bool // nil when not asked for
}

// ListOptions choose what Tasks returns.
type ListOptions struct {
	All    bool // also tasks without description
	Status bool // compute UpToDate
}

// Summary is what --summary shows of one task, templated in fast mode.
type Summary struct {
	Task     *schema.Task
	Name     string
	Text     string // summary, else desc, else ""
	Vars     schema.Vars
	Env      schema.Vars
	Requires []string
	Deps     []string
	Aliases  []string
	Commands []SummaryCommand
}

// SummaryCommand is one line of a summary's commands.
type SummaryCommand struct {
	Text string
	Call bool // Text is the name of a task
}

// Explanation is what --why says of one task.
type Explanation struct {
	Task    string
	Fresh   bool
	Reasons []Reason
}

// Reason is one difference between now and the task's last successful run.
type Reason struct {
	Kind string // file, command, var, env, generates, need, status, unknown, never
	Name string
	Old  string
	New  string
}
