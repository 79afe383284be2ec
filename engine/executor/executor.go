// Package executor does one step here, on this machine: an Executor turns a
// plan.Step into a sched.Outcome.
//
// The way through a step is a chain of layers, each in a file of its own, each
// of which may end the step or hand it on:
//
//	skip ─▶ preconditions ─▶ fresh ─▶ prompt ─▶ body ─▶ command …
//
// The package owns how commands are started, announced, timed, stopped and
// where their output goes. It knows nothing of order, slots or other steps.
package executor

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// Options configure an Executor. Root, Shell, Processes, State, Tree and Checker are
// required.
type Options struct {
	Root      string // the directory of the root file, absolute
	Shell     *shell.Shell
	Processes *proc.Table
	State     *state.Store
	Tree      *glob.Tree
	Checker   *fingerprint.Checker // of State and Tree
	Stops     *Stops
	Clock     *clock.Clock   // of time limits; nil is one that never stands still
	Expander  *plan.Expander // binds texts that name outputs; nil if there are none
	Secrets   *pipe.Secrets  // are masked in what is reported; nil if there are none
	Large     *pipe.Large    // counts the pipes of the run that are larger than usual; nil means those of this executor
	Run       string         // identity of the run, for the cookies of its processes

	Stdin, Stdout, Stderr *os.File
	Relay                 bool      // output is not inherited but sent as events
	Apart                 bool      // relayed streams stay apart, as far as they are two
	RelayInteractive      bool      // so is that of interactive tasks
	Begin, End            plan.Text // around a command's output; templates

	Dry, Silent, Verbose bool
	Force                func(*plan.Step) bool // run although up to date
	AssumeYes            bool
	Confirm              func(ctx context.Context, task, text string) error // asks a prompt; an error ends the step

	Notify func(event.Event) // takes notices of steps that are only looked at

	// Flush returns when every event emitted so far has been reported.
	Flush func()
}

// Executor executes steps. It is safe for concurrent use.
type Executor struct {
	o         Options
	terminal  chan struct{} // held by the one interactive command
	buffers   *buffers      // of relays
	copies    *buffers      // of all else that is reported
	digests   digests
	unmatched sync.Map // patterns that were warned of: unmatched to true
	late      late
	outputs   sync.Map // of settled steps: *plan.Step to *outputs
	ends      sync.Map // of steps that are members of a group: *plan.Step to ends
	gangs     gangs
}

// New returns an Executor.
func New(o Options) *Executor {
	if o.Secrets == nil {
		o.Secrets = new(pipe.Secrets)
	}
	if o.Large == nil {
		o.Large = new(pipe.Large)
	}
	return &Executor{o: o, terminal: make(chan struct{}, 1), buffers: newBuffers(), copies: newBuffers()}
}

// Close ends the reading of what processes write that commands left behind. It is
// called when they have been stopped, or let go.
func (x *Executor) Close() { x.late.close() }

// run is one step on its way through the layers.
type run struct {
	x    *Executor
	step *plan.Step
	env  *sched.Env
	dir  string
	vars []string // the environment of its commands

	ends ends // what all its commands are connected to
	rare *rare

	mu    sync.Mutex  // guards those below, and the making of rare
	usage event.Usage // of all commands and conditions so far
	used  event.Usage // of the last command
}

// rare is what few steps have.
type rare struct {
	gang       connected
	outputs    outputs
	outputFile string         // what WEFT_OUTPUT names; "" if the task has no outputs
	tail       []byte         // of the output of the last attempt, where a retry looks at it
	members    []event.Member // of the last pipe
}

// having returns what few steps have, to be filled.
func (r *run) having() *rare {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rare == nil {
		r.rare = &rare{}
	}
	return r.rare
}

// Execute implements sched.Executor.
func (x *Executor) Execute(ctx context.Context, s *plan.Step, env *sched.Env) sched.Outcome {
	r := &run{x: x, step: s, env: env}
	ctx, cancel := r.taskLimit(ctx)
	defer cancel()
	if e, ok := x.ends.LoadAndDelete(s); ok {
		r.ends = e.(ends)
	}
	execute := r.execute
	if env.Gang != nil {
		execute = r.executeConnected
	}
	out := execute(ctx)
	r.ends.let()
	out.Usage = r.usage
	if out.Err == nil && r.rare != nil {
		out.Outputs = r.shownOutputs()
	}
	return out
}

// taskLimit is ctx with the time limit of the whole task.
func (r *run) taskLimit(ctx context.Context) (context.Context, func()) {
	limit := r.step.Task.Timeout
	if limit <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := r.x.o.Clock.AfterFunc(limit, func() { cancel(&sched.TimedOut{Name: r.step.Label, After: limit, Limit: sched.TaskLimit}) })
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// execute takes the step through the layers.
func (r *run) execute(ctx context.Context) sched.Outcome {
	x, s := r.x, r.step
	if s.Skip != plan.NotSkipped {
		return r.skip()
	}
	if err := r.bindLate(ctx); err != nil {
		return failed(err)
	}
	if err := r.bind(ctx); err != nil {
		return failed(err)
	}
	forced := x.o.Force(s)
	if !forced {
		if err := r.preconditions(ctx); err != nil {
			return r.ended(ctx, err)
		}
	}
	read := r.ends.out != nil && !r.ends.shown // who reads it wants all that it writes
	check, fresh, err := r.checkFresh(ctx, forced || read)
	if err != nil {
		return r.ended(ctx, err)
	}
	if fresh {
		return sched.Outcome{Result: event.Fresh}
	}
	defer check.release()
	if err := r.prompts(ctx); err != nil {
		return r.ended(ctx, err)
	}
	if err := r.makeDir(); err != nil {
		return failed(err)
	}
	check.begin()
	err = r.whole(ctx)
	x.o.Tree.Dirty()
	if err != nil {
		check.discard()
		return r.ended(ctx, err)
	}
	check.commit(ctx)
	return sched.Outcome{Result: event.Succeeded}
}

// bind computes where and with what environment the commands run.
func (r *run) bind(ctx context.Context) (err error) {
	if r.dir, err = r.step.Scope.Dir(ctx); err != nil {
		return err
	}
	if r.dir != r.x.o.Root {
		if err := CheckDir(r.dir); err != nil {
			return err
		}
	}
	r.vars, err = r.step.Scope.Environ(ctx)
	return err
}

// bindLate computes the texts that name what needs of the step put out.
func (r *run) bindLate(ctx context.Context) error {
	if r.x.o.Expander == nil {
		return nil
	}
	return r.x.o.Expander.BindOutputs(ctx, r.step, func(task, name string) (any, error) {
		need := r.step.Reads(task)
		if need == nil {
			return nil, fmt.Errorf("%q is no need of this task", task)
		}
		return r.x.outputOf(need, name)
	})
}

// whole is the body with what surrounds it: the file that WEFT_OUTPUT names, and
// the outputs that are made of it.
func (r *run) whole(ctx context.Context) error {
	declared := len(r.step.Task.Outputs) > 0 && !r.x.o.Dry
	if declared {
		file, remove, err := r.makeOutputFile()
		if err != nil {
			return err
		}
		defer remove()
		r.having().outputFile = file
		r.vars = append(r.vars[:len(r.vars):len(r.vars)], "WEFT_OUTPUT="+file)
	}
	if err := r.body(ctx); err != nil {
		return err
	}
	if declared {
		if err := r.collect(); err != nil {
			return err
		}
	}
	if r.rare != nil {
		r.x.outputs.Store(r.step, &r.rare.outputs)
	}
	return nil
}

// skip ends a step that is not to run.
func (r *run) skip() sched.Outcome {
	reason := event.ByIf
	if r.step.Skip == plan.ByPlatform {
		reason = event.ByPlatform
	}
	r.emit(&event.TaskSkipped{Time: now(), Step: r.id(), Reason: reason})
	return sched.Outcome{Result: event.Skipped}
}

// makeDir creates the step's directory where the task names one.
func (r *run) makeDir() error {
	if r.dir == r.x.o.Root {
		return nil
	}
	if _, err := os.Stat(r.dir); err == nil {
		return nil
	}
	return os.MkdirAll(r.dir, 0o755)
}

// ended is the outcome of a step that did not succeed.
func (r *run) ended(ctx context.Context, err error) sched.Outcome {
	out := failed(err)
	if isCancelled(ctx, err) {
		out.Result = event.Cancelled
	}
	return out
}

// isCancelled reports whether a step that ended with err was stopped from outside.
func isCancelled(ctx context.Context, err error) bool {
	return sched.IsCancelled(err) || ctx.Err() != nil && sched.IsCancelled(context.Cause(ctx))
}

func failed(err error) sched.Outcome {
	return sched.Outcome{Result: event.Failed, Err: err, Code: ExitCode(err)}
}

// id is the number of the step, 0 where it is only looked at.
func (r *run) id() event.StepID {
	if r.env == nil {
		return 0
	}
	return r.env.ID
}

// emit emits ev: to the run, or where the step is only looked at.
func (r *run) emit(ev event.Event) {
	switch {
	case r.env != nil:
		r.env.Emit(ev)
	case r.x.o.Notify != nil:
		r.x.o.Notify(ev)
	}
}
