package watch

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/plan"
)

// Signal hands a signal on to all that runs. One that is a reason to stop, which nobody has
// asked for, ends the watching; one that comes before Run does so as well. Ctrl-Z suspends
// weft: then it returns when weft was continued.
func (w *Watcher) Signal(sig os.Signal) {
	if w.handOn(sig) || !stops(sig) {
		return
	}
	w.mu.Lock()
	first := w.stopped == nil
	if first {
		w.stopped = sig
	}
	cancel := w.cancel
	w.mu.Unlock()
	for _, r := range w.running() {
		r.Stop(sig)
	}
	if first && cancel != nil {
		cancel(command.Interrupt(sig))
	}
	w.watchdog.Guard(w.waits)
}

// handOn has all runs deal with a signal that is no reason to stop, and reports whether it was
// one for any of them.
func (w *Watcher) handOn(sig os.Signal) (handedOn bool) {
	running := w.running()
	if len(running) == 0 {
		w.suspend(sig)
	}
	for _, r := range running {
		handedOn = r.HandOn(sig) || handedOn
	}
	return handedOn
}

// stops reports whether a signal ends the watching.
func stops(sig os.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		return true
	}
	return false
}

// Signalled returns nil: a signal is how watching is meant to end, whichever it was.
func (w *Watcher) Signalled() os.Signal { return nil }

// Stuck returns a channel that is closed when the watching was told to stop, has no reason
// to take longer, and does.
func (w *Watcher) Stuck() <-chan struct{} { return w.watchdog.Stuck() }

// begin makes calls the targets, has signals call cancel, and reports whether none has come
// before that ends the watching.
func (w *Watcher) begin(cancel context.CancelCauseFunc, calls []plan.Call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range calls {
		w.targets = append(w.targets, &target{call: c})
	}
	w.cancel = cancel
	return w.stopped == nil
}

// signal returns the signal that has ended the watching, or nil.
func (w *Watcher) signal() os.Signal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// enter makes r the run of a target, which signals reach, unless one has ended the watching.
func (w *Watcher) enter(t *target, r run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped != nil {
		return false
	}
	t.run = r
	return true
}

// leave notes that the run of a target has ended.
func (w *Watcher) leave(t *target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.run, t.cancel = nil, nil
}

// running returns what runs.
func (w *Watcher) running() (runs []run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.targets {
		if t.run != nil {
			runs = append(runs, t.run)
		}
	}
	return runs
}

// waits is what the watchdog asks: see [engine.Engine.Waits].
func (w *Watcher) waits(elapsed time.Duration) (waits bool, moves int) {
	for _, r := range w.running() {
		commands, n := r.Waits(elapsed)
		waits, moves = waits || commands, moves+n
	}
	return waits, moves
}
