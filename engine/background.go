package engine

import (
	"context"
	"errors"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

// awaitBackground waits for background commands, and returns the error of a run in which all steps
// have ended with err.
func (e *Engine) awaitBackground(cancel context.CancelCauseFunc, err error) error {
	e.failed(cancel, err)
	late := e.background.Wait()
	_, follows := errors.AsType[*sched.StepFailed](err)
	if late != nil && (err == nil || follows || errors.Is(late, proc.ErrKeeperLost)) {
		return late
	}
	return err
}

// failed cancels the run at the first failure, with failfast.
func (e *Engine) failed(cancel context.CancelCauseFunc, err error) {
	if task, ok := errors.AsType[*plan.TaskError](err); ok && e.o.Failfast {
		cancel(&sched.StepFailed{Task: task.Task, Err: err})
	}
}
