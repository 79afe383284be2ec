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
	"context"
	"os"
	"sync"

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
	if o.Running == nil {
		o.Running = new(Running)
	}
	if o.Secrets == nil {
		o.Secrets = new(pipe.Secrets)
	}
	if o.Large == nil {
		o.Large = new(pipe.Large)
	}
	return &Local{o: o, terminal: make(chan struct{}, 1), buffers: newBuffers(), copies: newBuffers()}
}

// Close ends the reading of what processes write that commands left behind. It is called when
// they have been stopped, or let go.
func (x *Local) Close() { x.lingering.close() }

// Run implements executor.Body.
func (x *Local) Run(ctx context.Context, b *executor.Bound) executor.Result {
	s := &step{Bound: b, x: x}
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
	s := &step{Bound: b, x: x}
	err := s.test(ctx, text)
	return executor.Result{Err: err, Usage: s.usage}
}

// step is one step while its commands run.
type step struct {
	*executor.Bound
	x   *Local
	job job // of the command that runs now; members of groups have copies

	mu       sync.Mutex       // guards the fields below
	try      attempt          // at the command that runs now
	usage    event.Usage      // of all that was run
	captures [2]*pipe.Capture // of stdout and stderr; nil: nothing was captured
}

// makeDir creates the step's directory where the task names one.
func (s *step) makeDir() error {
	if s.Dir == s.x.o.Root {
		return nil
	}
	if _, err := os.Stat(s.Dir); err == nil {
		return nil
	}
	return os.MkdirAll(s.Dir, 0o755)
}

// capture returns the capture of stdout, or of stderr, of at most limit bytes where it is the
// first command's.
func (s *step) capture(stderr bool, limit int64, overflow pipe.Overflow) *pipe.Capture {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.captures[0]
	if stderr {
		c = &s.captures[1]
	}
	if *c == nil {
		*c = pipe.NewCapture(limit, overflow)
	}
	return *c
}

// output is what was captured.
func (s *step) output() *executor.Output {
	if s.captures == [2]*pipe.Capture{} {
		return nil
	}
	return &executor.Output{Stdout: s.captures[0], Stderr: s.captures[1]}
}
