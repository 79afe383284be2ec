// Package engine wires the planner, the scheduler and the executor to one workflow. Read this
// first.
//
// Bytes become a Workflow (package schema), a Call on it becomes a Plan (package plan), one loop
// runs it (package sched) with the help of executors (package executor) and emits Events (package
// event). The engine prints nothing: all its results are events or errors.
//
// The other files contain the parts of Run and the queries of an Engine:
//
//	options, host, state, secrets     what each part is given
//	events, pause, progress, prompt   events and prompts of a run
//	background, jobserver             parts of a run besides its steps
//	stopping, signals, watchdog       how a run is stopped
//	sequence                          one call after the other
//	cached                            the output cache
//	elsewhere, act                    steps that run elsewhere, and one that was planned elsewhere
//	list, inspect, sources            queries that run nothing
//	check                             errors in a workflow
package engine

import (
	"cmp"
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

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

// Engine runs the tasks of one workflow. Run may be called once; queries may be called any number
// of times.
type Engine struct {
	o            Options
	id           string // of its run
	shell        *shell.Shell
	clock        clock.Clock // for time limits
	large        pipe.Enlarger
	secrets      *pipe.Secrets
	shortSecrets sync.Map // names with a warning
	processes    *proc.Table
	live         *command.Services // of its run, or of several runs
	tree         *glob.Tree
	state        *state.Store
	asked        atomic.Int64         // number of commands and prompts of planning
	checker      *fingerprint.Checker // of state and tree
	resolver     *vars.Resolver
	queue        *queue
	keys         keyer
	stopping     stopping
	asking       sync.Mutex // held during a prompt
	progress     progress
	background   *command.Background // of the run; nil before
	jobs         makeJobs
	cache        outputCache
	act          *act        // performed in place of tasks; nil: none
	final        atomic.Bool // nothing more is planned for the calls of the run

	watchdog *Watchdog
	up       up
	requests requests
}

// New returns an Engine. It reads the root dotenv files, and runs the dynamic variables their paths
// refer to. Inside too many nested runs it returns a [NestedError].
func New(ctx context.Context, o Options) (*Engine, error) {
	if !o.DescribeOnly {
		if err := nested(o.Environ); err != nil {
			return nil, err
		}
	}
	if o.Secrets == nil {
		o.Secrets = new(pipe.Secrets)
	}
	vars.LiteralSecrets(o.Workflow, o.CLIVars, func(value string) { o.Secrets.Add(value) })
	for _, c := range o.Workflow.Credentials() {
		o.Secrets.Add(c)
	}
	o.Sink = masking(o.Sink, o.Secrets)
	e := &Engine{o: o, secrets: o.Secrets, id: cmp.Or(o.ID, NewID()), stopping: stopping{heard: make(chan struct{})}, watchdog: NewWatchdog(), up: up{tell: o.Up}}
	var lent func(step int)
	if o.OnForeground != nil {
		lent = func(step int) { o.OnForeground(event.StepID(step)) }
	}
	e.processes = proc.NewTable(proc.Options{Terminal: terminal(o.Stdin), Clock: &e.clock, OnInterrupt: e.interrupted, OnForeground: lent, OnTerminalUse: o.screen(), BeforeFirst: o.Await, Environ: o.Environ, Run: e.id, OnLost: e.lost})
	if !o.DescribeOnly {
		e.join()
	}
	if os.Getpid() == 1 {
		e.processes.ReapOrphans()
	}
	if o.StopWithin > 0 && o.Services == nil { // otherwise the first engine warns
		e.warnOfGrace()
	}
	e.shell = shell.New(shell.Options{Clock: &e.clock, Large: &e.large, Utilities: o.CoreUtils, Plain: o.Reference, BeforeScript: o.Await})
	if e.live = new(command.Services); o.Services != nil {
		e.live = o.Services.services
	}
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

// Run executes the calls: one after the other, or at once with Parallel. It returns when everything
// has ended and every event has been passed to the sink. The error is that of the first call to
// fail, wrapped in a plan.TaskError per level; planning errors are one multierror.
func (e *Engine) Run(ctx context.Context, calls []plan.Call) error {
	if err := Resolve(e.o.Workflow, calls); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := newQueue(e.observe, e.o.Tick, e.o.Drained)
	e.queue = q
	started := time.Now()
	q.Emit(e.started(started, calls))
	e.stopping.beginRun(e, cancel, q.Emit)
	xo := e.expanderOptions()
	xo.ComputeSecrets = true
	var exec *executor.Executor
	e.keys.begin(e)
	defer e.keys.end()
	xo.Planned = func(s *plan.Step) {
		e.keys.planned(s)
		if e.slots() != 1 { // otherwise the scheduler does not look at steps
			exec.Planned(s)
		}
	}
	x := plan.NewExpander(xo)
	e.background = command.NewBackground(ctx, func(err error) { e.failed(cancel, err) })
	e.makeJobserver()
	co := e.commandOptions()
	co.WatchMemory = e.o.Wants.Graph
	here := command.New(co)
	o := e.executorOptions(here)
	o.Expander = x
	exec = executor.New(o)
	err := e.execute(ctx, cancel, x, exec, calls)
	e.stopping.running.NoteProgress()
	for _, p := range e.processes.Close(err == nil && ctx.Err() == nil && e.act == nil) {
		q.Emit(&event.Leftover{Time: time.Now(), Pid: p.Pid, Name: e.secrets.MaskCut(p.Name), Kept: p.Kept})
	}
	here.Close()
	e.ReleaseShared()
	e.stopping.end()
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	if err == nil {
		e.up.now()
	}
	q.Flush()
	q.Emit(&event.RunFinished{Time: time.Now(), Counts: e.progress.outcomes(), Err: err, Duration: time.Since(started)})
	q.Close()
	return err
}

// Close ends leftover processes of dynamic variables, conditions and status checks. After Run it
// does nothing.
func (e *Engine) Close() {
	e.processes.Close(false)
	e.ReleaseShared()
	e.closeCache(context.Background())
}

func names(calls []plan.Call) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
	}
	return out
}

// Resolve returns an error for the first of the calls whose task does not exist, or is internal. It
// is called before anything runs.
func Resolve(w *schema.Workflow, calls []plan.Call) error {
	for _, c := range calls {
		t, _, err := w.Lookup(c.Name)
		if err != nil {
			return err
		}
		if t.Internal && !c.Internal {
			return &plan.InternalError{Task: c.Name}
		}
	}
	return nil
}

// slots returns the maximum number of slots; 0 means the soft limit.
func (e *Engine) slots() int { return cmp.Or(e.jobs.limit, e.o.Concurrency) }

// execute runs the calls on one scheduler, and waits for background commands.
func (e *Engine) execute(ctx context.Context, cancel context.CancelCauseFunc, x *plan.Expander, exec *executor.Executor, calls []plan.Call) error {
	so := sched.Options{Keys: e.keys.of, Graph: e.o.Wants.Graph, OnStart: e.begins(), Executor: e.executorOf(exec), Expander: x, Emit: e.queue.Emit, Limit: e.slots(), Tokens: e.tokens(), Clock: &e.clock, Failfast: e.o.Failfast, Services: e.o.Control || e.services(), Pools: x.Pools(), Durations: e.o.Durations, Detail: e.o.Wants.Detail, IDs: e.o.Steps}
	if s := e.o.Remote; s != nil {
		so.Place, so.Places = s.Place, s.Places()
	}
	run := sched.Start(so)
	defer run.Close()
	defer e.state.Close()
	defer e.keepListings()
	defer exec.Close()
	defer e.closeCache(ctx)
	end := e.requests.open(e, ctx, x, run)
	err := e.all(ctx, x, run, calls)
	end(err)
	return e.awaitBackground(cancel, err)
}

// all runs the calls, concurrently or one after the other.
func (e *Engine) all(ctx context.Context, x *plan.Expander, run *sched.Run, calls []plan.Call) error {
	if !e.o.Parallel {
		return e.runInOrder(ctx, x, run, calls)
	}
	p, err := e.expand(ctx, x, calls...)
	if err != nil {
		return err
	}
	e.final.Store(true)
	if !serves(p) {
		e.up.atCommand.Store(true)
		return run.Do(ctx, p)
	}
	call := run.Begin(ctx, p)
	if call.Up() {
		e.up.now()
		e.ready()
		e.releaseServices(call)
	}
	return call.Wait()
}

// expand returns the plan for running calls.
func (e *Engine) expand(ctx context.Context, x *plan.Expander, calls ...plan.Call) (*plan.Plan, error) {
	p, err := x.Expand(ctx, calls...)
	if err == nil {
		err = e.checkUsers(p)
	}
	if err == nil {
		err = e.checkRemote(p)
	}
	return p, err
}
