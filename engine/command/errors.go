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
	return fmt.Sprintf("exit status 0, which is not one of the accepted %v", e.Accept)
}

// ExitCode returns the exit status of a step that fails with it.
func (e *NotAcceptedError) ExitCode() int { return 1 }

// accepted changes err by the exit codes that count as success; nil means only 0.
func accepted(err error, codes []int) error {
	exit, ok := err.(*shell.ExitError)
	switch {
	case err == nil && codes != nil && !slices.Contains(codes, 0):
		return &NotAcceptedError{codes}
	case ok && slices.Contains(codes, exit.Code):
		return nil
	}
	return err
}

// StreamError is a fault of an output destination, for which the command is stopped.
type StreamError struct{ Err error }

func (e *StreamError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

// streamError wraps err as a StreamError; nil remains nil.
func streamError(err error) error {
	if err == nil {
		return nil
	}
	return &StreamError{err}
}

// CrashLoop means that a service ended too often to be restarted.
type CrashLoop struct {
	Restarts int   // consecutive ones
	Err      error // its last error; nil: success
}

func (e *CrashLoop) Error() string {
	last := "exit status 0"
	if e.Err != nil {
		last = e.Err.Error()
	}
	return fmt.Sprintf("crash loop: it ended again after %d consecutive restarts, the last time with: %s", e.Restarts, last)
}

// Unwrap returns the last error of the service.
func (e *CrashLoop) Unwrap() error { return e.Err }

// isExit reports whether err is a non-zero exit or a time-out of a command, which ignore_error
// covers.
func isExit(err error) bool {
	return is[*shell.ExitError](err) || is[*sched.TimedOut](err) || is[*NotAcceptedError](err) || is[*StreamError](err) || is[*ChannelError](err)
}

// is reports whether the tree of err contains an error of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// signalOf returns the signal that ended the program which failed with err, or nil.
func signalOf(err error) os.Signal {
	if exit, ok := errors.AsType[*shell.ExitError](err); ok && exit.Signal != 0 {
		return exit.Signal
	}
	return nil
}
