//go:build unix

package watch

import (
	"os"
	"syscall"

	"github.com/weftrun/weft/engine/proc"
)

// isSuspend reports whether sig is Ctrl-Z.
func isSuspend(sig os.Signal) bool { return sig == syscall.SIGTSTP }

// suspend stops weft, in which nothing runs, if sig is Ctrl-Z. It returns when weft is continued.
func (w *Watcher) suspend(sig os.Signal) {
	if !isSuspend(sig) {
		return
	}
	if w.o.Idle != nil { // restore the terminal
		w.o.Idle(false)
		defer w.o.Idle(true)
	}
	proc.StopSelf()
}
