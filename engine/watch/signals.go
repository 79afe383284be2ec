package watch

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/plan"
)

// Signal passes a signal on to everything that runs. A signal that asks weft to stop, and that no
// run handles, ends watch mode, also when it arrives before Run. Ctrl-Z suspends weft: Signal then
// returns once weft is continued.
func (w *Watcher) Signal(sig os.Signal) {
	if w.handleSignal(sig) || !stops(sig) {
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
	w.limit(sig)
	if services := w.known(); services != nil && (sig == syscall.SIGQUIT || sig == syscall.SIGINT && !first) {
		services.Kill(sig)
	}
	if first && cancel != nil {
		cancel(command.Interrupt(sig))
	}
	w.watchdog.Guard(w.waits)
}

// limit starts the time limit of the whole stop, at the first signal that has one.
func (w *Watcher) limit(sig os.Signal) {
	w.mu.Lock()
	limited := w.limited
	w.limited = limited || w.o.Engine.StopLimited(sig)
	begins := w.limited && !limited
	services := w.services
	w.mu.Unlock()
	if !begins {
		return
	}
	w.watchdog.LimitStop(&w.o.Engine, sig)
	if services != nil {
		services.LimitStop(&w.o.Engine, sig)
	}
}

// handleSignal passes a signal that does not ask weft to stop on to services and runs, and reports
// whether any of them handled it.
func (w *Watcher) handleSignal(sig os.Signal) (handedOn bool) {
	services := w.known()
	if services != nil && isSuspend(sig) && services.Up() {
		services.Suspend(func() { w.handleSignalInRuns(sig) })
		return true
	}
	handedOn = services != nil && services.HandleSignal(sig)
	return w.handleSignalInRuns(sig) || handedOn
}

// handleSignalInRuns is handleSignal without services.
func (w *Watcher) handleSignalInRuns(sig os.Signal) (handedOn bool) {
	running := w.running()
	if len(running) == 0 {
		w.suspend(sig)
	}
	for _, r := range running {
		handedOn = r.HandleSignal(sig) || handedOn
	}
	return handedOn
}

// stops reports whether a signal ends watch mode.
func stops(sig os.Signal) bool {
	return slices.Contains([]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}, sig)
}

// Signalled returns nil: a signal is the normal end of watch mode.
func (w *Watcher) Signalled() os.Signal { return nil }

// Stuck returns a channel that is closed when the watcher should have stopped by now and has
// not.
func (w *Watcher) Stuck() <-chan struct{} { return w.watchdog.Stuck() }

// ReleaseShared restores what other programs rely on, before weft exits without waiting for the
// runs.
func (w *Watcher) ReleaseShared() {
	for _, r := range w.running() {
		r.ReleaseShared()
	}
}

// begin makes calls the targets and lets signals call cancel. It returns false if a signal has
// already ended watch mode.
func (w *Watcher) begin(cancel context.CancelCauseFunc, calls []plan.Call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range calls {
		w.targets = append(w.targets, &target{call: c})
	}
	w.cancel = cancel
	return w.stopped == nil
}

// known returns the services; nil before Run.
func (w *Watcher) known() services {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.services
}

// signal returns the signal that ended watch mode, or nil.
func (w *Watcher) signal() os.Signal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// enter makes r the run of a target, so that signals reach it. It returns false if a signal has
// ended watch mode.
func (w *Watcher) enter(t *target, r run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped != nil {
		return false
	}
	t.run = r
	return true
}

// leave removes the run of a target, which has ended.
func (w *Watcher) leave(t *target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.run, t.cancel = nil, nil
}

// running returns the current runs.
func (w *Watcher) running() (runs []run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range slices.Concat(w.targets, w.once) {
		if t.run != nil {
			runs = append(runs, t.run)
		}
	}
	return runs
}

// waits informs the watchdog about the progress of the stop: see [engine.Engine.Waiting].
func (w *Watcher) waits(elapsed time.Duration) (waits bool, moves int) {
	for _, r := range w.running() {
		commands, n := r.Waiting(elapsed)
		waits, moves = waits || commands, moves+n
	}
	if services := w.known(); services != nil {
		commands, n := services.Waiting()
		waits, moves = waits || commands, moves+n
	}
	return waits, moves
}
