// Package command does steps here, on this machine: [Local] is the [executor.Body] that runs
// one plan.Command after the other.
//
// A command, and each member of a group, is a job:
//
//	step ─▶ attempts ─▶ time limit ─▶ announcement ─▶ perform ─┬─▶ script ─▶ streams ─▶ start
//	                                                          ├─▶ pipe, parallel ─▶ a job a member
//	                                                          └─▶ call
//
// The package owns how commands are announced, tried again, timed and stopped, what their
// streams are connected to, and where their output goes. It knows no step but its own: not
// whether that must run, and of others only the ends that it is connected to and the calls
// that it makes, through [executor.Bound].
package command

import (
	"cmp"
	"context"
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
	Running   *Running      // knows the commands that run; nil: nobody else stops them
	Clock     *clock.Clock  // of time limits; nil is one that never stands still
	Secrets   *pipe.Secrets // are masked in what is reported; nil if there are none
	Large     *pipe.Large   // counts the pipes of the run that are larger than usual; nil means those of this Local

	Stdin, Stdout, Stderr *os.File
	Relay                 bool      // output is not inherited but sent as events
	Apart                 bool      // relayed streams stay apart, as far as they are two
	RelayInteractive      bool      // so is that of interactive tasks
	Begin, End            plan.Text // around a command's output; templates

	Dry     bool // commands are announced, and that is all
	Verbose bool // silent ones, too

	// Flush returns when every event emitted so far has been reported.
	Flush func()
}

// Local does steps here. It is safe for concurrent use.
type Local struct {
	o         Options
	terminal  chan struct{} // held by the one interactive command
	buffers   *buffers      // of relays
	copies    *buffers      // of all else that is reported
	lingering lingering
}

// New returns a Local.
func New(o Options) *Local {
	o.Running = cmp.Or(o.Running, new(Running))
	o.Secrets, o.Large = cmp.Or(o.Secrets, new(pipe.Secrets)), cmp.Or(o.Large, new(pipe.Large))
	return &Local{o: o, terminal: make(chan struct{}, 1), buffers: newBuffers(), copies: newBuffers()}
}

// Close ends the reading of what leftovers of commands write. It is called when these have
// been stopped, or are kept.
func (x *Local) Close() { x.lingering.close() }

// Run implements executor.Body.
func (x *Local) Run(ctx context.Context, b *executor.Bound) executor.Result {
	s := &step{Bound: b, Local: x}
	if err := s.makeDir(); err != nil {
		return executor.Result{Outcome: event.Failed, Err: err}
	}
	r := executor.Result{Outcome: event.Succeeded}
	if err := s.commands(ctx); err != nil {
		r = executor.Ended(ctx, err)
	}
	r.Usage, r.Output = s.usage, s.output()
	return r
}

// Test implements executor.Test: it runs text without input or output.
func (x *Local) Test(ctx context.Context, b *executor.Bound, text string) executor.Result {
	s := &step{Bound: b, Local: x}
	err := s.test(ctx, text)
	return executor.Result{Err: err, Usage: s.usage}
}
