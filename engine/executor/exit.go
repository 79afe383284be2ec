package executor

import (
	"errors"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// Unread is the cause that stops a producer which nobody reads any more: as writing would, a
// second later as usual, and at last by force.
type Unread struct{}

func (Unread) Error() string { return "nobody reads its output any more" }

// StopLadder implements proc.Stopper.
func (Unread) StopLadder() proc.Ladder {
	return proc.Ladder{Signal: syscall.SIGPIPE, Harder: time.Second, Grace: proc.DefaultGrace}
}

// CutOff reports whether a producer that ended with err did because nobody read it any more.
func CutOff(err error) bool {
	var unread Unread
	return errors.As(err, &unread) || ExitCode(err) == proc.BrokenPipe
}

// ExitCode returns the exit status behind err, as its method ExitCode tells it: that of the
// command that failed, 124 for a time-out, else 0.
func ExitCode(err error) int {
	if err == nil {
		return 0 // without a variable on the heap
	}
	var status interface{ ExitCode() int }
	if errors.As(err, &status) {
		return status.ExitCode()
	}
	return 0
}
