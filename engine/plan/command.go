package plan

import (
	"syscall"
	"time"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Command is one command of a step, complete: the keys of the workflow, the task and the command
// itself are merged, loops are unrolled and texts are expanded, so that nothing else is needed to
// run, show or fingerprint it. It is immutable, and commands share common parts.
//
// The texts of a deferred command are templates until [Step.BindDeferred], when it is reached.
type Command struct {
	Kind        schema.CommandKind
	Defer       bool  // it runs when the step's body ends
	Silent      bool  // it is not announced
	IgnoreError bool  // the step, or its group, continues when it fails
	entry       int32 // its place in the task's list of commands

	Pos   diag.Pos
	Text  string // of a Script; the name of the task of a TaskCall; of others a line for users
	Shown string // Text with the values of secret variables masked

	*CommandOptions // never nil
	*Process        // never nil
}

// CommandOptions are options that most commands omit. Those without any share one value, which must
// not be changed.
type CommandOptions struct {
	Argv    []string    // of an Exec
	Members []Command   // of a Pipe, Parallel, Tee or Merge
	Vars    schema.Vars // of a TaskCall

	If         string            // shell command that must succeed, or this one is skipped; "" means always
	Platforms  []schema.Platform // it runs on one of them, or on any if there are none
	Mode       schema.MergeMode  // of a Merge
	EarlyClose bool              // a member of the Pipe may fail when those after it have succeeded
	Background bool              // the next command starts at once; this one is awaited at the end of the run
	Timeout    time.Duration     // 0: none
}

// Process configures the processes of a command. Commands without their own share the one of their
// task, so it must not be changed.
type Process struct {
	Interpreter schema.Interpreter // of a Script; without Argv: the one in weft itself
	Set, Shopt  []string           // shell options: of the workflow, the task and the command, in this order

	Stdin          *Stdin // nil: as the plan has it
	Stdout, Stderr []Sink // nil: as the output style says
	Accept         []int  // exit codes that count as success; nil is 0 alone
	TTY            bool   // it has a terminal of its own
	User           string // NAME or UID:GID; "": weft's own
	IPC            *IPC   // nil: no channel for messages

	// Supervision. These make no difference to a successful run.

	IdleTimeout time.Duration // the longest time without output; 0: any
	Retry       schema.Retry  // the zero value: one attempt
	Stop        Stop
	Leftover    schema.Leftover
	Limits      *Limits                           // of each process; nil: none
	Signals     map[syscall.Signal]syscall.Signal // from the signal that weft gets to the one that the programs get
}

// Stdin is the input of a command.
type Stdin struct {
	Kind schema.StdinKind
	Text string      // the text, the file's name, or the task's name
	Vars schema.Vars // of the task
	// PerCommand means that only this command reads it: otherwise all commands of the task do, one
	// after the other.
	PerCommand bool
}

// Sink is one destination of a stream.
type Sink struct {
	Kind     schema.SinkKind
	File     string // relative to the step's directory
	Append   bool
	InPlace  bool  // the file is written where it is, not replaced when it is complete
	Max      int64 // bytes that are captured
	Overflow schema.Overflow
	Rotate   *Rotate // nil: the file grows
}

// Stop describes how to end the processes of a command. The zero value leaves it to the reason
// for stopping them.
type Stop struct {
	Signal  syscall.Signal // first; 0: that of the reason, SIGTERM mostly
	Grace   time.Duration  // until they are killed; 0: that of the reason
	Command string         // run instead of sending the signal; "": none
	Main    bool           // the signal is for the programs that were started alone, not for their process groups
}

// Words of the file that the code that runs commands compares with. They mean the same as in
// schema.
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
	StdinRoute   = schema.StdinRoute

	SinkLog     = schema.SinkLog
	SinkInherit = schema.SinkInherit
	SinkCapture = schema.SinkCapture
	SinkFile    = schema.SinkFile
	SinkNull    = schema.SinkNull
	SinkStdout  = schema.SinkStdout

	OverflowFail     = schema.OverflowFail
	OverflowTruncate = schema.OverflowTruncate
	OverflowTail     = schema.OverflowTail

	LeftoverAuto = schema.LeftoverAuto
	LeftoverKill = schema.LeftoverKill
	LeftoverWait = schema.LeftoverWait
	LeftoverKeep = schema.LeftoverKeep

	ChangeIgnored = schema.ChangeIgnored

	// DefaultMaxCapture is the default maximum number of captured bytes.
	DefaultMaxCapture = schema.DefaultMaxCapture
	// FingerprintV3 is the rule of the format's own runner: only the content of sources counts.
	FingerprintV3 = schema.FingerprintV3
)

type (
	Retry = schema.Retry
	Text  = schema.Text
)

// Empty reports whether the expanded text of c, or of all its members, is empty. Such a command is
// neither shown nor run.
func (c *Command) Empty() bool {
	switch c.Kind {
	case schema.Shell, schema.Call:
		return c.Text == ""
	case schema.Exec:
		return false
	}
	return len(c.Members) == 0
}

// MatchesPlatform reports whether c is for a platform like this one.
func (c *Command) MatchesPlatform() bool { return matchesPlatform(c.Platforms) }
