// Package command performs steps on this machine: [Local] is the [executor.Body] that runs one
// plan.Command after the other.
//
// A command, and each member of a group, is a job:
//
//	step ─▶ attempts ─▶ time limit ─▶ announcement ─▶ perform ─┬─▶ script ─▶ streams ─▶ start
//	                                                          ├─▶ pipe, parallel ─▶ a job a member
//	                                                          └─▶ call
//
// The last command of a service is run by a supervisor, which repeats part of that for each start:
//
//	step ─▶ the commands before it ─▶ Services ─▶ supervisor ─▶ announcement ─▶ …
//
// The package decides how commands are announced, retried, timed and stopped, how their streams are
// connected, and where their output goes. It knows only its own step: not whether that must run,
// and of other steps only the ends that it is connected to and the calls that it makes, through
// [executor.Bound].
package command

import (
	"cmp"
	"context"
	"math"
	"os"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// Options configure a Local. Root, Shell, Processes and Flush are required.
type Options struct {
	Root      string // the directory of the root file, absolute
	Shell     *shell.Shell
	Processes *proc.Table
	Running   *Running // registers the running commands; may be nil
	// Background holds the background commands; with nil each is waited for.
	Background *Background
	// Services are the services that steps use or start; nil means those of this Local, which end with
	// the steps.
	Services *Services
	// Jobserver adds the run's jobserver to the environment of a step with `jobserver`, see
	// [step.withJobserver]; nil if there is none.
	Jobserver func(ctx context.Context, environ []string) (with []string, ended func())
	Clock     *clock.Clock   // for time limits; nil means one that is never paused
	Secrets   *pipe.Secrets  // masked in events; may be nil
	Large     *pipe.Enlarger // counts the enlarged pipes of the run; nil means a private one

	Stdin, Stdout, Stderr *os.File
	Relay                 bool      // output is not inherited but sent as events
	SeparateStderr        bool      // relayed stdout and stderr stay separate, if they differ
	RelayInteractive      bool      // output of interactive tasks is relayed too
	RelayConcurrent       bool      // relay output of steps that run beside other writers
	Terminals             bool      // relayed output is written to pseudo-terminals as wide as Stdout
	Begin, End            plan.Text // around a command's output; templates

	Dry     bool // commands are only announced
	Verbose bool // silent commands are announced, too

	// WatchMemory makes failures report that memory was probably exhausted.
	WatchMemory bool

	// DirectOutput registers output of commands that bypasses weft; nil: not needed.
	DirectOutput *DirectOutput

	// LendTerminal, if set, is called before a program gets the terminal that weft draws on to
	// itself; the returned function is called when weft may draw again.
	LendTerminal func() (ended func())
	// Screen, if set, is called before an interactive command uses the terminal, on which another
	// program draws, and what it returns when that has ended. Other commands do not get it.
	Screen func() (ended func())

	// Trace returns the value of TRACEPARENT for an attempt of a command; nil: the environment is not
	// changed.
	Trace func(step event.StepID, command, attempt int) string

	// Flush returns when every event emitted so far has been reported.
	Flush func()
	// Schemas checks the messages of programs; may be nil.
	Schemas Schemas
}

// Local performs steps on this machine. It is safe for concurrent use.
type Local struct {
	o         Options
	terminal  chan struct{} // held by the interactive command
	buffers   *buffers      // for relays
	copies    *buffers      // for all other reported data
	lingering lingering
	accounts  accounts
	cgroups   cgroups
	memory    memory
}

// New returns a Local.
func New(o Options) *Local {
	o.Running, o.Services = cmp.Or(o.Running, new(Running)), cmp.Or(o.Services, new(Services))
	o.Secrets, o.Large = cmp.Or(o.Secrets, new(pipe.Secrets)), cmp.Or(o.Large, new(pipe.Enlarger))
	x := &Local{o: o, terminal: make(chan struct{}, 1), buffers: newBuffers(), copies: newBuffers()}
	if o.WatchMemory {
		x.memory.watch()
	}
	return x
}

// Close stops reading the output of leftover processes. It is called after these have been stopped,
// or are kept.
func (x *Local) Close() { x.lingering.close() }

// Run implements executor.Body.
func (x *Local) Run(ctx context.Context, b *executor.Bound) executor.Result {
	s := &step{Bound: b, Local: x}
	if s.Dir != s.o.Root { // the directory comes from the task
		if err := os.MkdirAll(s.Dir, 0o755); err != nil {
			return executor.Result{Outcome: event.Failed, Err: err}
		}
	}
	if s.Step.Service() != nil && !x.o.Dry {
		return s.serve(ctx)
	}
	ended := s.withJobserver(ctx)
	r := executor.Result{Outcome: event.Succeeded}
	defers, err := s.before(ctx, math.MaxInt)
	if s.finish(ctx, defers, err); err != nil {
		r = executor.Ended(ctx, err)
	}
	r.Usage, r.Output, r.OnEnd, r.Attempts = s.usage, s.output(), s.awaitBackground(), s.tries
	s.sent.forget(keeping{})
	switch {
	case ended == nil:
	case r.OnEnd != nil:
		r.OnEnd(func(error) { ended() })
	default:
		ended()
	}
	return r
}

// Test implements executor.Test: it runs text without input or output.
func (x *Local) Test(ctx context.Context, b *executor.Bound, text string) executor.Result {
	s := &step{Bound: b, Local: x}
	err := s.test(ctx, text)
	return executor.Result{Err: err, Usage: s.usage}
}
