package plan

import (
	"syscall"
	"time"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Command is one command of a step, complete: what the workflow, the task and the
// command itself say is merged, loops are unrolled and texts are expanded, so that
// whoever runs, shows or fingerprints it needs nothing else. It is immutable, and
// commands share what they have in common.
//
// What is known only when a deferred command is reached is not bound yet: its texts
// are templates until [Step.BindDeferred].
type Command struct {
	Kind        schema.CommandKind
	Defer       bool  // it runs when the step's body ends
	Silent      bool  // it is not announced
	IgnoreError bool  // the step, or the group it is a member of, goes on when it fails
	entry       int32 // its place in the task's list of commands

	Pos   diag.Pos
	Text  string // of a Script; the name of the task of a TaskCall; of others a line for people
	Shown string // Text with the values of secret variables masked

	*CommandOptions // never nil
	*Process        // never nil
}

// CommandOptions are what most commands leave out. Those that have none of these share
// one value, which must not be changed.
type CommandOptions struct {
	Argv    []string    // of an Exec
	Members []Command   // of a Pipe, Parallel, Tee or Merge
	Vars    schema.Vars // of a TaskCall

	If         string            // shell command that must succeed, or this one is skipped; "" means always
	Platforms  []schema.Platform // it runs on one of them, or on any if there are none
	Mode       schema.MergeMode  // of a Merge
	EarlyClose bool              // a member of the Pipe may fail when those after it have ended well
	Timeout    time.Duration     // 0: none
}

// Process is how the processes of a command are run. Commands that say nothing of
// their own share the one of their task, so it must not be changed.
type Process struct {
	Interpreter schema.Interpreter // of a Script; without Argv: the one in weft itself
	Set, Shopt  []string           // shell options: of the workflow, the task and the command, in this order

	Stdin          *Stdin // nil: as the plan has it
	Stdout, Stderr []Sink // nil: as the output style says
	Accept         []int  // exit codes that count as success; nil is 0 alone
	TTY            bool   // it has a terminal of its own

	// How it is watched over. No successful run differs by these.

	IdleTimeout time.Duration // the longest time it may write nothing; 0: any
	Retry       schema.Retry  // the zero value: one attempt
	Stop        Stop
	Leftover    schema.Leftover
	Signals     map[syscall.Signal]syscall.Signal // what weft was sent and hands on, and what the programs get
}

// Stdin is what a command reads.
type Stdin struct {
	Kind schema.StdinKind
	Text string      // the text, the file's name, or the task's name
	Vars schema.Vars // of the task
	// Own tells that the command alone reads it: else all commands of the task do,
	// one after the other.
	Own bool
}

// Sink is one place that a stream leads to.
type Sink struct {
	Kind     schema.SinkKind
	File     string // relative to the step's directory
	Append   bool
	InPlace  bool  // the file is written where it is, not replaced when it is complete
	Max      int64 // bytes that are captured
	Overflow schema.Overflow
}

// Stop is how the processes of a command are told to end. The zero value leaves it
// to the reason for stopping them.
type Stop struct {
	Signal  syscall.Signal // first; 0: that of the reason, SIGTERM mostly
	Grace   time.Duration  // until they are killed; 0: that of the reason
	Command string         // is run instead of sending the signal; "": none
	Main    bool           // the signal is for the programs that were started alone, not for their process groups
}

// What whoever runs commands asks of the words of the file; they mean what they do in schema.
const (
	TaskCall = schema.Call
	Pipe     = schema.Pipe
	Parallel = schema.Parallel
	Tee      = schema.Tee   // in a Pipe
	Merge    = schema.Merge // first in a Pipe

	MergeRaw    = schema.MergeRaw
	MergeConcat = schema.MergeConcat

	StdinInherit = schema.StdinInherit
	StdinText    = schema.StdinText
	StdinFile    = schema.StdinFile
	StdinFrom    = schema.StdinFrom
	StdinOutput  = schema.StdinOutput

	SinkLog     = schema.SinkLog
	SinkInherit = schema.SinkInherit
	SinkCapture = schema.SinkCapture
	SinkFile    = schema.SinkFile
	SinkStdout  = schema.SinkStdout

	OverflowFail     = schema.OverflowFail
	OverflowTruncate = schema.OverflowTruncate
	OverflowTail     = schema.OverflowTail

	LeftoverAuto = schema.LeftoverAuto
	LeftoverKill = schema.LeftoverKill
	LeftoverWait = schema.LeftoverWait
	LeftoverKeep = schema.LeftoverKeep

	// DefaultMaxCapture is how many bytes of output are captured if nothing else is said.
	DefaultMaxCapture = schema.DefaultMaxCapture
	// FingerprintV3 is the rule of the format's own runner for what is looked at: the content
	// of sources alone.
	FingerprintV3 = schema.FingerprintV3
)

type (
	Retry = schema.Retry
	Text  = schema.Text
)

// Empty reports whether there is nothing to do for c: its text came to nothing, or
// that of all its members. It is neither shown nor run.
func (c *Command) Empty() bool {
	switch c.Kind {
	case schema.Shell, schema.Call:
		return c.Text == ""
	case schema.Exec:
		return false
	}
	return len(c.Members) == 0
}

// Here reports whether c is for a platform like this one.
func (c *Command) Here() bool { return matchesPlatform(c.Platforms) }
