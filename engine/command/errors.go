package command

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// NotAcceptedError is an exit status of 0 that does not count as success.
type NotAcceptedError struct{ Accept []int }

func (e *NotAcceptedError) Error() string {
	return fmt.Sprintf("exit status 0, which is none of the accepted %v", e.Accept)
}

// ExitCode returns the exit status of a step that fails by it.
func (e *NotAcceptedError) ExitCode() int { return 1 }

// accepted is err by the exit codes that count as success; nil is 0 alone.
func accepted(err error, codes []int) error {
	if codes == nil {
		return err
	}
	if err == nil {
		if slices.Contains(codes, 0) {
			return nil
		}
		return &NotAcceptedError{codes}
	}
	if exit, ok := err.(*shell.ExitError); ok && slices.Contains(codes, exit.Code) {
		return nil
	}
	return err
}

// StreamError is a fault of what a command's output leads to: it is stopped for it.
type StreamError struct{ Err error }

func (e *StreamError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *StreamError) Unwrap() error { return e.Err }

// streamError is err as a StreamError; nil of nil.
func streamError(err error) error {
	if err == nil {
		return nil
	}
	return &StreamError{err}
}

// isExit reports whether err is a command's non-zero exit or a time-out: what ignore_error
// covers.
func isExit(err error) bool {
	return is[*shell.ExitError](err) || is[*sched.TimedOut](err) || is[*NotAcceptedError](err) || is[*StreamError](err)
}

// is reports whether an error of type E is in the tree of err.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// signalOf is the signal that ended the program which failed with err, or nil.
func signalOf(err error) os.Signal {
	if exit, ok := errors.AsType[*shell.ExitError](err); ok && exit.Signal != 0 {
		return exit.Signal
	}
	return nil
}
