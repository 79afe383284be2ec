package engine

import (
	"os"
	"syscall"

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
// user's Ctrl-C, of which the kernel told only that command.
func (e *Engine) interrupted() {
	if e.o.Interrupt != nil {
		e.o.Interrupt()
		return
	}
	e.Signal(syscall.SIGINT)
}
