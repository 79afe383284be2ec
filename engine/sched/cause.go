package sched

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Interrupted is the cause of every cancellation after weft received a signal.
type Interrupted struct{ Signal os.Signal }

func (e *Interrupted) Error() string { return fmt.Sprintf("stopped by signal: %s", e.Signal) }

// StepFailed is the cause of cancellations by failfast.
type StepFailed struct {
	Task string
	Err  error
}

func (e *StepFailed) Error() string { return fmt.Sprintf("cancelled because %q failed", e.Task) }

// TimedOut is the cause of cancellations after a time limit.
type TimedOut struct {
	Name  string // displayed name of the task
	After time.Duration
	Limit Limit // the exceeded limit
}

// Limit is a kind of time limit.
type Limit uint8

const (
	CommandLimit Limit = iota
	TaskLimit          // the task's own
	NeedLimit          // the limit of a need for the whole task
	IdleLimit          // time without any output
)

// ExitCode returns the exit status of a time-out.
func (e *TimedOut) ExitCode() int { return 124 }

func (e *TimedOut) Error() string {
	switch e.Limit {
	case IdleLimit:
		return fmt.Sprintf("[%s] nothing was written for %s", e.Name, e.After)
	case TaskLimit:
		return fmt.Sprintf("[%s] task timeout exceeded (%s)", e.Name, e.After)
	}
	return fmt.Sprintf("[%s] command timeout exceeded (%s)", e.Name, e.After)
}

// Stopped is the cause of the end of a step that the user stopped.
type Stopped struct{ Task string }

func (e *Stopped) Error() string { return fmt.Sprintf("%q was stopped by --stop", e.Task) }

// IsCancelled reports whether err only means that something else ended the step.
func IsCancelled(err error) bool {
	_, failed := errors.AsType[*StepFailed](err)
	_, lost := errors.AsType[*ServiceFailed](err)
	_, interrupted := errors.AsType[*Interrupted](err)
	_, stopped := errors.AsType[*Stopped](err)
	return failed || lost || interrupted || stopped
}

// WithLimit returns ctx with a time limit, which does not elapse while c is paused; done releases
// its resources.
func WithLimit(ctx context.Context, c *clock.Clock, exceeded *TimedOut) (limited context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.AfterFunc(exceeded.After, func() { cancel(exceeded) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}
