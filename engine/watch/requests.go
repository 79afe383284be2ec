package watch

import (
	"context"
	"errors"
	"fmt"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Requests in watch mode: the same as to a run, see package engine.

// startRequest is a request to run a task.
type startRequest struct {
	call  plan.Call
	ended chan<- error // receives one value
}

// errEnding is the answer when no run can be started any more.
var errEnding = errors.New("weft is ending, or cannot start a run")

// StartTask runs a task: a watched one again; any other one, or one with variables, once. It
// returns when the task has ended, or is a ready service; at once for a watched task. The error is
// that of the task. It may be called from any goroutine.
func (w *Watcher) StartTask(call plan.Call) error {
	ended := make(chan error, 1)
	select {
	case w.requests <- startRequest{call, ended}:
	case <-w.done:
		return errEnding
	}
	select {
	case err := <-ended:
		return err
	case <-w.done:
		return errEnding
	}
}

// RestartStep restarts a service. It may be called from any goroutine.
func (w *Watcher) RestartStep(step event.StepID) error {
	if s := w.known(); s != nil && s.RestartStep(step) {
		return nil
	}
	return errors.New("the step is not a running service; --start runs a task again")
}

// StopStep stops a step: a service until its task runs again. It may be called from any goroutine.
func (w *Watcher) StopStep(step event.StepID) error {
	if s := w.known(); s != nil && s.StopStep(step) {
		return nil
	}
	for _, r := range w.running() {
		if r.StopStep(step) == nil {
			return nil
		}
	}
	return fmt.Errorf("step %d is not running", step)
}

// startRequested performs a request to run a task.
func (w *Watcher) startRequested(ctx context.Context, wanted startRequest) {
	call := wanted.call
	if err := engine.ResolveRequest(w.workflow, call, w.o.Engine.Secrets); err != nil {
		wanted.ended <- err
		return
	}
	for _, t := range w.targets {
		if t.call.Name == call.Name && call.Vars == nil {
			w.trigger(ctx, t, nil)
			wanted.ended <- nil
			return
		}
	}
	t := &target{call: call, wanted: wanted.ended}
	w.mu.Lock()
	w.once = append(w.once, t)
	w.mu.Unlock()
	if w.start(ctx, t); t.run == nil {
		w.requestEnded(runEnd{t, errEnding})
	}
}

// requestEnded answers the request whose run has ended.
func (w *Watcher) requestEnded(end runEnd) {
	w.leave(end.target)
	w.mu.Lock()
	for i, t := range w.once {
		if t == end.target {
			w.once = append(w.once[:i], w.once[i+1:]...)
			break
		}
	}
	w.mu.Unlock()
	end.wanted <- end.err
}

// SendLine sends a line to the command of a step whose task has stdin: route. It may be called from
// any goroutine.
func (w *Watcher) SendLine(step event.StepID, text string) error {
	if s := w.known(); s != nil {
		return s.SendLine(step, text)
	}
	return errEnding
}
