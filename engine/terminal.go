package engine

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/term"
)

// terminal returns f if it is a terminal.
func terminal(f *os.File) *os.File {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// interrupted is called when the command that had the terminal died of the
// user's Ctrl-C, or exited as if it had, of which the kernel told only that
// command. One that exited may have asked the user itself.
func (e *Engine) interrupted(died bool) {
	if died && e.o.Interrupt != nil {
		e.o.Interrupt()
		// The run is not over before that was heard: weft is to end by it.
		select {
		case <-e.stopping.heard:
		case <-time.After(interruptLimit):
		}
		return
	}
	e.Signal(syscall.SIGINT)
}

// interruptLimit is how long weft's own signal may take to arrive.
const interruptLimit = time.Second
