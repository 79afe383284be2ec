package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Requests to a running run. They need Options.Control, except those for services.

// requests is the state of the run for requests. The zero value means that there is no run. It is
// safe for concurrent use.
type requests struct {
	mu    sync.Mutex                         // guards the fields below
	steps map[event.StepID]func()            // functions that end running steps
	start func(c plan.Call, up func()) error // nil: there is no run
	added int                                // number of requested tasks that have not ended
	none  chan struct{}                      // closed when added is 0 again; nil: not needed
}

// ready reports that everything on the command line is ready or done.
func (e *Engine) ready() {
	if e.o.Ready != nil {
		e.queue.Flush()
		e.o.Ready()
	}
}

// open allows tasks to be started in the run. end is called with the error of the run when
// everything else has ended: it waits for these tasks, which are cancelled if there is an error.
func (r *requests) open(e *Engine, ctx context.Context, x *plan.Expander, run *sched.Run) (end func(error)) {
	if !e.o.Control {
		return func(error) {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start = func(call plan.Call, up func()) error {
		started, err := run.BeginAgain(ctx, func() (*plan.Plan, error) { return e.expand(ctx, x, call) })
		if err != nil {
			return err
		}
		if started.Up() {
			up()
		}
		return started.Wait()
	}
	return func(err error) {
		defer cancel(nil)
		if err != nil {
			cancel(&sched.StepFailed{Task: "the run", Err: err})
		}
		for r.awaitAdded() {
		}
	}
}

// awaitAdded waits for requested tasks, and reports whether there were any. If not, no more can be
// started.
func (r *requests) awaitAdded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.added == 0 {
		r.start = nil
		return false
	}
	none := make(chan struct{})
	r.none = none
	r.mu.Unlock()
	<-none
	r.mu.Lock()
	return true
}

// StartTask runs a task with its needs in the run, even if it has run before. It returns when the
// task has ended, or is a ready service. The error is that of the task.
func (e *Engine) StartTask(call plan.Call) error {
	if err := ResolveRequest(e.o.Workflow, call, e.secrets); err != nil {
		return err
	}
	r := &e.requests
	r.mu.Lock()
	start := r.start
	if start == nil {
		r.mu.Unlock()
		return errors.New("the run is ending, or has not begun")
	}
	r.added++
	r.mu.Unlock()
	up := make(chan error, 2)
	go func() {
		up <- start(call, func() { up <- nil })
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.added--; r.added == 0 && r.none != nil {
			close(r.none)
			r.none = nil
		}
	}()
	err := <-up
	e.queue.Flush() // so that the client sees all of its output next
	return err
}

// ResolveRequest is [Resolve] for a call that is requested during the run. Its secret variables are
// added to secrets.
func ResolveRequest(w *schema.Workflow, call plan.Call, secrets *pipe.Secrets) error {
	if len(call.Vars) > 0 {
		vars.LiteralSecrets(w, call.Vars, func(value string) { secrets.Add(value) })
	}
	return Resolve(w, []plan.Call{call})
}

// RestartStep restarts a service. It does not wait.
func (e *Engine) RestartStep(step event.StepID) error {
	if e.live.Restart(step) {
		return nil
	}
	return errors.New("the step is not a running service; --start runs a task again")
}

// StopStep stops a step as its stop key says: for a service that is not a failure, for any other step
// it is one. It does not wait for the end.
func (e *Engine) StopStep(step event.StepID) error {
	if e.live.StopStep(step) {
		return nil
	}
	r := &e.requests
	r.mu.Lock()
	cancel := r.steps[step]
	r.mu.Unlock()
	if cancel == nil {
		return fmt.Errorf("step %d is not running", step)
	}
	cancel()
	return nil
}

// stoppable is an executor whose steps can be stopped individually.
type stoppable struct {
	executor *executor.Executor
	r        *requests
}

// executorOf returns the executor of a run's steps.
func (e *Engine) executorOf(x *executor.Executor) sched.Executor {
	if !e.o.Control {
		return x
	}
	return &stoppable{x, &e.requests}
}

// Execute implements sched.Executor.
func (s *stoppable) Execute(ctx context.Context, step *plan.Step, env *sched.Env) sched.Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	r := s.r
	r.mu.Lock()
	if r.steps == nil {
		r.steps = map[event.StepID]func(){}
	}
	r.steps[env.ID] = func() { cancel(&sched.Stopped{Task: step.Label}) }
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.steps, env.ID)
		r.mu.Unlock()
		cancel(nil)
	}()
	return s.executor.Execute(ctx, step, env)
}

// RestartStep is [Engine.RestartStep] for the services that outlive its run.
func (s *Services) RestartStep(step event.StepID) bool { return s.services.Restart(step) }

// StopStep is [Engine.StopStep] for the services that outlive its run.
func (s *Services) StopStep(step event.StepID) bool { return s.services.StopStep(step) }

// SendLine sends a line to the command of a step whose task has stdin: route.
func (e *Engine) SendLine(step event.StepID, text string) error { return e.live.SendLine(step, text) }

// SendLine is [Engine.SendLine] for the runs that share s.
func (s *Services) SendLine(step event.StepID, text string) error {
	return s.services.SendLine(step, text)
}
