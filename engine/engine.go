// Package engine is what happens: it wires the planner, the scheduler and the
// executor to one workflow. Read this first.
//
// Bytes become a Workflow (package schema), a Call on it becomes a Plan
// (package plan), one loop runs it (package sched) with the help of executors
// (package executor) and emits Events (package event). The engine prints
// nothing: everything it has to say is an event or an error.
//
// The other files are what Run and the questions to an Engine are made of:
//
//	options, host, state, secrets     what each part is given
//	events, progress, prompt          what a run tells and asks
//	stopping, signals, watchdog       how it is ended
//	list, inspect, sources            what can be asked without running anything
//	check                             what is wrong with a workflow
package engine

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Engine runs the tasks of one workflow. Run may be called once; the methods
// that only ask may be called any number of times.
type Engine struct {
	o            Options
	id           string // of its run
	shell        *shell.Shell
	clock        clock.Clock // of time limits
	large        pipe.Large
	secrets      *pipe.Secrets
	shortSecrets sync.Map // names that were warned of
	processes    *proc.Table
	tree         *glob.Tree
	state        *state.Store
	checker      *fingerprint.Checker // of state and tree
	resolver     *vars.Resolver
	queue        *queue
	stopping     stopping
	asking       sync.Mutex // held while the user is asked
	progress     progress

	watchdog *Watchdog
}

// New returns an Engine. It reads the root dotenv files, and with them runs
// the dynamic variables their paths refer to. Inside too many other runs it
// returns a [NestedError].
func New(ctx context.Context, o Options) (*Engine, error) {
	if !o.Still {
		if err := nested(o.Environ); err != nil {
			return nil, err
		}
	}
	if o.Secrets == nil {
		o.Secrets = new(pipe.Secrets)
	}
	vars.LiteralSecrets(o.Workflow, o.CLIVars, func(value string) { o.Secrets.Add(value) })
	o.Sink = masking(o.Sink, o.Secrets)
	e := &Engine{o: o, secrets: o.Secrets, id: uuid.NewString(), stopping: stopping{heard: make(chan struct{})}, watchdog: NewWatchdog()}
	e.processes = proc.NewTable(proc.Options{Terminal: terminal(o.Stdin), Clock: &e.clock, OnInterrupt: e.interrupted, Environ: o.Environ, Run: e.id, OnLost: e.lost})
	if os.Getpid() == 1 {
		e.processes.ReapOrphans()
		e.warnOfGrace()
	}
	e.shell = shell.New(shell.Options{Clock: &e.clock, Large: &e.large, Utilities: o.CoreUtils, Plain: o.Reference})
	if e.tree = o.Tree; e.tree == nil {
		e.tree = glob.NewTree(o.Environ)
		e.tree.Warn = e.warn
	}
	e.state = e.openState(o.Dry)
	e.checker = e.checkerOf(e.state)
	e.resolver = vars.New(e.varOptions(o.CLIVars))
	if err := e.resolver.LoadDotenv(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Plan returns the plan of the calls without running it.
func (e *Engine) Plan(ctx context.Context, calls []plan.Call) (*plan.Plan, error) {
	return plan.NewExpander(e.expanderOptions()).Expand(ctx, calls...)
}

// Run executes the calls: one after the other, or at once with Parallel. It
// returns when everything has ended and every event has been handed to the
// sink. The error is that of the first call to fail, wrapped in a
// plan.TaskError per level; problems of planning come as one multierror.
func (e *Engine) Run(ctx context.Context, calls []plan.Call) error {
	if err := Resolve(e.o.Workflow, calls); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := newQueue(e.observe(e.o.Sink))
	e.queue = q
	started := time.Now()
	q.Emit(&event.RunStarted{Time: started, Run: e.id, Tasks: names(calls), Argv: e.o.Argv})
	e.stopping.beginRun(e, cancel, q.Emit)
	xo := e.expanderOptions()
	xo.TellSecrets = true
	x := plan.NewExpander(xo)
	here := command.New(e.commandOptions())
	o := e.executorOptions(here)
	o.Expander = x
	err := e.execute(ctx, x, executor.New(o), calls)
	e.stopping.Moved()
	for _, p := range e.processes.Close(err == nil && ctx.Err() == nil) {
		q.Emit(&event.Leftover{Time: time.Now(), Pid: p.Pid, Name: e.secrets.MaskCut(p.Name), Kept: p.Kept})
	}
	here.Close()
	e.stopping.end()
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	q.Flush()
	q.Emit(&event.RunFinished{Time: time.Now(), Counts: e.progress.outcomes(), Err: err, Duration: time.Since(started)})
	q.Close()
	return err
}

// Close ends what dynamic variables, conditions and status checks left behind.
// After Run it does nothing.
func (e *Engine) Close() { e.processes.Close(false) }

func names(calls []plan.Call) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
	}
	return out
}

// Resolve returns an error for the first of the calls whose task there is not, or is for
// other tasks only. It is asked before anything runs.
func Resolve(w *schema.Workflow, calls []plan.Call) error {
	for _, c := range calls {
		t, _, err := w.Lookup(c.Name)
		if err != nil {
			return err
		}
		if t.Internal {
			return &plan.InternalError{Task: c.Name}
		}
	}
	return nil
}

// execute runs the calls on one scheduler.
func (e *Engine) execute(ctx context.Context, x *plan.Expander, exec *executor.Executor, calls []plan.Call) error {
	run := sched.Start(sched.Options{Executor: exec, Expander: x, Emit: e.queue.Emit, Limit: e.o.Concurrency, Clock: &e.clock, Failfast: e.o.Failfast, IDs: e.o.Steps})
	defer run.Close()
	defer e.state.Close()
	if e.o.Parallel {
		return e.once(ctx, x, run, calls...)
	}
	var problems *multierror.Error
	for _, c := range calls {
		err := e.once(ctx, x, run, c)
		if err == nil {
			continue
		}
		if !e.o.KeepGoing || ctx.Err() != nil {
			return err
		}
		problems = multierror.Append(problems, plan.Problems(err)...)
	}
	return problems.ErrorOrNil()
}

func (e *Engine) once(ctx context.Context, x *plan.Expander, run *sched.Run, calls ...plan.Call) error {
	p, err := x.Expand(ctx, calls...)
	if err != nil {
		return err
	}
	return run.Do(ctx, p)
}
