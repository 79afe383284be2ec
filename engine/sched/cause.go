package sched

import (
	"fmt"
	"os"
	"time"
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
	Need  bool // it was a whole task that took too long, as a need
	Idle  bool // it had written nothing for so long
	Task  bool // it was the whole task, by its own limit
}

func (e *TimedOut) Error() string {
	switch {
	case e.Idle:
		return fmt.Sprintf("[%s] nothing was written for %s", e.Name, e.After)
	case e.Task:
		return fmt.Sprintf("[%s] task timeout exceeded (%s)", e.Name, e.After)
	}
	return fmt.Sprintf("[%s] command timeout exceeded (%s)", e.Name, e.After)
}
