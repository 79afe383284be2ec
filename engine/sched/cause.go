package sched

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Interrupted is the cause of everything that ends because weft got a signal.
type Interrupted struct{ Signal os.Signal }

func (e *Interrupted) Error() string { return fmt.Sprintf("stopped by signal: %s", e.Signal) }

// StepFailed is the cause of what failfast cancels.
type StepFailed struct {
	Task string
	Err  error
}

func (e *StepFailed) Error() string { return fmt.Sprintf("cancelled because %q failed", e.Task) }

// TimedOut is the cause of what took too long.
type TimedOut struct {
	Name  string // how the task is shown
	After time.Duration
	Limit Limit // that was exceeded
}

// Limit is what a time limit is for.
type Limit uint8

const (
	CommandLimit Limit = iota
	TaskLimit          // of a whole task, its own
	NeedLimit          // of a whole task, as a need
	IdleLimit          // of the time without any output
)

// ExitCode is the exit status that stands for a time-out.
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

// IsCancelled reports whether err only says that something else ended the step.
func IsCancelled(err error) bool {
	_, failed := errors.AsType[*StepFailed](err)
	_, interrupted := errors.AsType[*Interrupted](err)
	return failed || interrupted
}

// WithLimit is ctx with a time limit, which is not over while c stands still; done ends it.
func WithLimit(ctx context.Context, c *clock.Clock, exceeded *TimedOut) (limited context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.AfterFunc(exceeded.After, func() { cancel(exceeded) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}
