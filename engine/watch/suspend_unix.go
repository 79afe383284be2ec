//go:build unix

package watch

import (
	"os"
	"syscall"

	"github.com/weftrun/weft/engine/proc"
)

// suspend stops weft, in which nothing runs, if sig is Ctrl-Z. It returns when weft goes on.
func (w *Watcher) suspend(sig os.Signal) {
	if sig != syscall.SIGTSTP {
		return
	}
	if w.o.Idle != nil { // the terminal as it was
		w.o.Idle(false)
		defer w.o.Idle(true)
	}
	proc.StopSelf()
}
