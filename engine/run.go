package engine

import (
	"context"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
)

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
