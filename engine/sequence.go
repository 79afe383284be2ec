package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
)

// runInOrder executes the calls one after the other. A service counts as done when it is ready; it
// lasts until the run is cancelled. A failed call cancels the services, unless KeepGoing is set.
func (e *Engine) runInOrder(ctx context.Context, x *plan.Expander, run *sched.Run, calls []plan.Call) error {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards problems
	var problems []error
	ended := func(c plan.Call, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			return
		}
		problems = append(problems, err)
		if !e.o.KeepGoing {
			cancel(&sched.StepFailed{Task: c.Name, Err: err})
		}
	}
	var services sync.WaitGroup
	serving := false
	for i, c := range calls {
		if i > 0 && own.Err() != nil {
			break
		}
		p, err := e.expand(own, x, c)
		if err != nil {
			ended(c, err)
			continue
		}
		last := i == len(calls)-1
		e.final.Store(last)
		if last && !serves(p) {
			e.up.atCommand.Store(true)
		}
		call := run.Begin(own, p)
		if call.Up() {
			if last {
				e.up.now()
			}
			e.releaseServices(call)
			serving = true
			services.Go(func() { ended(c, call.Wait()) })
		} else {
			ended(c, call.Wait())
		}
	}
	mu.Lock()
	well := len(problems) == 0
	mu.Unlock()
	if well && serving {
		e.ready()
	}
	services.Wait()
	switch {
	case len(problems) == 0:
		return nil
	case !e.o.KeepGoing:
		return problems[0]
	case ctx.Err() != nil:
		return problems[len(problems)-1]
	}
	var all *multierror.Error
	for _, p := range problems {
		all = multierror.Append(all, plan.Problems(p)...)
	}
	return all
}

// releaseServices lets services that outlive the run stop being part of it once they are ready.
func (e *Engine) releaseServices(call *sched.Execution) {
	if e.o.Services != nil {
		call.ReleaseRoots()
	}
}

// services reports whether some task is a service.
func (e *Engine) services() bool {
	return slices.ContainsFunc(e.o.Workflow.Tasks, func(t *schema.Task) bool { return t.Service() != nil })
}
