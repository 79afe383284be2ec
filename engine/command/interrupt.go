package command

import (
	"os"
	"syscall"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

// Interrupt returns the cause of everything that ends because weft got sig: a
// sched.Interrupted that says how processes are stopped for it. An interrupt by
// the user is waited for however long: a cut-off migration is worse than a wait.
func Interrupt(sig os.Signal) error { return interrupt{&sched.Interrupted{Signal: sig}} }

type interrupt struct{ *sched.Interrupted }

// Unwrap returns the cause itself.
func (i interrupt) Unwrap() error { return i.Interrupted }

// StopLadder implements proc.Stopper.
func (i interrupt) StopLadder() proc.Ladder {
	sig, _ := i.Signal.(syscall.Signal)
	switch sig {
	case syscall.SIGINT:
		return proc.Ladder{Signal: sig}
	case syscall.SIGQUIT:
		return proc.Ladder{Signal: syscall.SIGKILL}
	}
	return proc.Ladder{Signal: sig, Grace: proc.DefaultGrace}
}
