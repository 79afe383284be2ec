package engine

import (
	"context"
	"os"
	"syscall"
)

// Signal tells the engine that weft got sig. Those that are no reason to stop are
// handed to the steps that asked for them, or suspend the run: then it returns
// when weft was continued. The first other one stops the run and is passed on to
// every running step; a second interrupt kills.
func (e *Engine) Signal(sig os.Signal) {
	if !e.goesOn(sig) {
		e.stopping.signal(e, sig)
	}
	if e.Signalled() != nil {
		e.watchdog.Guard(e.Waits)
	}
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
