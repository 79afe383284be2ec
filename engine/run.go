package engine

import (
	"context"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

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

// WatchedError tells that calls are of tasks that are to be watched: see Watch.
type WatchedError struct{ Tasks []string }

func (e *WatchedError) Error() string {
	return "task " + strings.Join(e.Tasks, ", ") + " has watch: true"
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
