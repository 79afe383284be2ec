package engine

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// Close ends what dynamic variables, conditions and status checks left behind.
// After Run it does nothing.
func (e *Engine) Close() { e.processes.Close(false) }

// Run executes the calls: one after the other, or at once with Parallel. It
// returns when everything has ended and every event has been handed to the
// sink. The error is that of the first call to fail, wrapped in a
// plan.TaskError per level; problems of planning come as one multierror.
func (e *Engine) Run(ctx context.Context, calls []plan.Call) error {
	if err := e.resolve(calls); err != nil {
		return err
	}
	if err := e.toWatch(calls); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.stopping.begin(cancel)
	q := newQueue(e.observe(e.o.Sink))
	e.queue = q
	started := time.Now()
	q.Emit(&event.RunStarted{Time: started, Run: e.run, Tasks: names(calls)})
	xo := e.expanderOptions()
	xo.TellSecrets = true
	x := plan.NewExpander(xo)
	o := e.executorOptions()
	o.Expander = x
	exec := executor.New(o)
	err := e.execute(ctx, x, exec, calls)
	e.stopping.Moved()
	for _, left := range e.processes.Close(err == nil && ctx.Err() == nil) {
		q.Emit(&event.LeftBehind{Time: time.Now(), Pid: left.Pid, Name: e.secrets.MaskCut(left.Name), Kept: left.Kept})
	}
	exec.Close()
	e.stopping.end()
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	q.Flush()
	q.Emit(&event.RunFinished{Time: time.Now(), Counts: e.progress.outcomes(), Err: err, Duration: time.Since(started)})
	q.Close()
	return err
}

func names(calls []plan.Call) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
	}
	return out
}

// resolve finds the called tasks before anything runs.
func (e *Engine) resolve(calls []plan.Call) error {
	for _, c := range calls {
		t, _, err := e.o.Workflow.Lookup(c.Name)
		if err != nil {
			return err
		}
		if t.Internal {
			return &plan.InternalError{Task: c.Name}
		}
	}
	return nil
}

// toWatch returns a WatchedError for the calls of tasks that are to be watched.
func (e *Engine) toWatch(calls []plan.Call) error {
	var watched []string
	for _, c := range calls {
		t, _, err := e.o.Workflow.Lookup(c.Name)
		if err != nil {
			return err
		}
		if t.Watch && !e.watched {
			watched = append(watched, c.Name)
		}
	}
	if watched != nil {
		return &WatchedError{Tasks: watched}
	}
	return nil
}

// execute runs the calls on one scheduler.
func (e *Engine) execute(ctx context.Context, x *plan.Expander, exec *executor.Executor, calls []plan.Call) error {
	run := sched.Start(sched.Options{Executor: exec, Expander: x, Emit: e.queue.Emit, Limit: e.o.Concurrency, Clock: &e.clock, Failfast: e.o.Failfast, IDs: e.ids})
	defer run.Close()
	defer e.store.Close()
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

func (e *Engine) executorOptions() executor.Options {
	o := &e.o
	masked := o.MaskOutput && o.Workflow.Secrets && o.Output != "group" && o.Output != "prefixed"
	return executor.Options{Clock: &e.clock, Large: &e.large, Secrets: e.secrets,
		Workflow: o.Workflow, Shell: e.shell, Processes: e.processes, Store: e.store, Tree: e.tree, Stops: &e.stopping.Stops, CLI: o.CLIVars, Run: e.run,
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
		Relay: o.Output == "group" || o.Output == "prefixed" || masked, Apart: masked && !sameFile(o.Stdout, o.Stderr), RelayInteractive: masked && terminal(o.Stdout) == nil, Begin: o.Begin, End: o.End,
		Dry: o.Dry, Silent: o.Silent, Verbose: o.Verbose, AssumeYes: o.AssumeYes,
		Force: func(s *plan.Step) bool {
			return o.ForceAll || o.Force && (!o.GentleForce || s.From == nil)
		},
		Confirm: e.confirm,
		Flush:   e.queue.Flush,
	}
}

// sameFile reports whether what is written to a and to b comes to the same place, in one
// order.
func sameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return a == b
	}
	ia, err := a.Stat()
	if err != nil {
		return false
	}
	ib, err := b.Stat()
	return err == nil && os.SameFile(ia, ib)
}

// observe keeps account of a run beside handing its events on.
func (e *Engine) observe(sink func(event.Event)) func(event.Event) {
	if sink == nil {
		sink = release
	}
	return func(ev event.Event) {
		e.progress.note(ev)
		sink(ev)
	}
}

// release is the sink of a run that nobody watches.
func release(ev event.Event) {
	if o, ok := ev.(*event.Output); ok && o.Release != nil {
		o.Release()
	}
}

// ErrNoTerminal tells that a question could not be put to anybody.
var ErrNoTerminal = errors.New("not a terminal")

// PromptError is a prompt that was not answered with yes.
type PromptError struct {
	Task       string
	NoTerminal bool // there was nobody to answer
}

func (e *PromptError) Error() string {
	if e.NoTerminal {
		return "Task \"" + e.Task + "\" cancelled because it has a prompt and the environment is not a terminal. Use --yes (-y) to run anyway."
	}
	return "Task \"" + e.Task + "\" cancelled by user"
}

// confirm asks one question at a time.
func (e *Engine) confirm(ctx context.Context, task, text string) error {
	e.asking.Lock()
	defer e.asking.Unlock()
	if e.o.Ask == nil {
		return &PromptError{Task: task, NoTerminal: true}
	}
	e.queue.Flush()
	yes, err := e.o.Ask.Confirm(ctx, e.secrets.Mask(text))
	switch {
	case errors.Is(err, ErrNoTerminal):
		return &PromptError{Task: task, NoTerminal: true}
	case err != nil:
		return err
	case !yes:
		return &PromptError{Task: task}
	}
	return nil
}

// WatchedError tells that calls are of tasks that are to be watched: see Watch.
type WatchedError struct{ Tasks []string }

func (e *WatchedError) Error() string {
	return "task " + strings.Join(e.Tasks, ", ") + " has watch: true"
}

// Signal tells the engine that weft got sig. Those that are no reason to stop are
// handed to the steps that asked for them, or suspend the run: then it returns
// when weft was continued. The first other one stops the run and is passed on to
// every running step; a second interrupt kills.
func (e *Engine) Signal(sig os.Signal) {
	if v := e.watching.Load(); v != nil {
		v.signal(sig)
	} else if !e.goesOn(sig) {
		e.stopping.signal(e, sig)
	}
	if e.stopped(sig) {
		e.guard()
	}
}

// Stoppable returns a context for what is asked of the engine without running it: it ends
// at the first signal that would stop a run.
func (e *Engine) Stoppable(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	e.stopping.begin(cancel)
	return ctx, cancel
}

// Signalled returns the signal that stopped the run, or nil.
func (e *Engine) Signalled() os.Signal { return e.stopping.first() }
