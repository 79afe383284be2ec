package tui

import (
	"io"

	"github.com/weftrun/weft/engine/control"
)

// lender lends the terminal to the run. As a tea.ExecCommand it is called when the whole screen
// was left and nobody reads keys, and the screen comes back when it returns.
type lender struct {
	c        *control.Client
	m        *model
	terminal terminal
	waitID   int64 // the request that is answered when the run wants the terminal
}

// wait asks the run to tell when it wants the terminal.
func (l *lender) wait() {
	l.waitID, _ = l.c.Send(control.Request{Request: "wanted"}) // an error ends the connection
}

// Run implements tea.ExecCommand.
func (l *lender) Run() error {
	defer l.terminal.leave()()
	id, err := l.c.Send(control.Request{Request: "lend"})
	for err == nil && !l.m.closed {
		a, ok := <-l.m.lines
		if !ok {
			l.m.closed = true
		} else if l.m.line(&a); a.Event == "" && a.ID == id {
			break
		}
	}
	l.wait()
	return nil
}

// SetStdin, SetStdout and SetStderr implement tea.ExecCommand.
func (*lender) SetStdin(io.Reader)  {}
func (*lender) SetStdout(io.Writer) {}
func (*lender) SetStderr(io.Writer) {}
