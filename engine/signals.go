package engine

import (
	"context"
	"os"
	"syscall"
)

// Signal tells the engine that weft got sig: it is handed on, or stops the run.
func (e *Engine) Signal(sig os.Signal) {
	if !e.HandOn(sig) {
		e.Stop(sig)
	}
}

// Stop stops the run because weft got sig, which every running step gets, too; a second
// interrupt kills. What comes before Run stops it when it begins.
func (e *Engine) Stop(sig os.Signal) {
	e.stopping.signal(e, sig)
	e.watchdog.Guard(e.Waits)
}

// SignalCommands sends sig to every command that runs. It may be called while Run runs.
func (e *Engine) SignalCommands(sig syscall.Signal) { e.processes.Signal(sig) }

// Stoppable returns a context for what is asked of the engine without running it: it ends
// at the first signal that would stop a run.
func (e *Engine) Stoppable(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	e.stopping.begin(cancel)
	return ctx, cancel
}

// Signalled returns the signal that stopped the run, or nil.
func (e *Engine) Signalled() os.Signal { return e.stopping.first() }
