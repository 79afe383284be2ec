package engine

import (
	"os"
	"time"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/proc"
)

// Why a watchdog. A run that was told to stop ends when all that it waits for has ended,
// and all of that looks at its context: templates, files, programs. What does not, by a
// fault or because the system keeps it waiting, must not keep weft from ending: the
// watchdog notices that a run which was told to stop waits for no command any more and
// does not get on. Then weft ends without it; wf-keeper ends what is left.

const (
	lookEvery = 100 * time.Millisecond
	// stuckAfter is how long a stopped run may wait for no command until it is stuck.
	stuckAfter = 1500 * time.Millisecond
)

// Stuck returns a channel that is closed when the run was told to stop, has no reason to
// take longer, and does.
func (e *Engine) Stuck() <-chan struct{} { return e.stuck }

// guard starts the watchdog, once.
func (e *Engine) guard() { e.guarded.Do(func() { go e.watchEnd() }) }

// watchEnd closes stuck when the time has come. Time is counted in ticks that were
// delivered: weft may be suspended meanwhile, or get no processor. It ends with the
// process.
func (e *Engine) watchEnd() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	moves := 0
	elapsed, waited := time.Duration(0), time.Duration(0)
	for range tick.C {
		elapsed += lookEvery
		waits, now := e.waits(elapsed)
		if waited += lookEvery; waits || now != moves {
			waited, moves = 0, now
		}
		if waited >= stuckAfter {
			close(e.stuck)
			return
		}
	}
}

// waits reports whether a run that was told to stop some time ago waits for commands, and
// counts how many have begun or ended, so that it can be seen whether it gets on.
func (e *Engine) waits(elapsed time.Duration) (waits bool, moves int) {
	if v := e.watching.Load(); v != nil {
		for _, sub := range v.engines() {
			w, n := sub.waits(elapsed)
			waits, moves = waits || w, moves+n
		}
		return waits, moves
	}
	return e.stopping.Waiting(e.stopping.strongest(), elapsed)
}

// strongest is how commands are stopped for the strongest signal so far.
func (s *stopping) strongest() proc.Ladder {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l proc.Ladder
	for sig := range s.counts {
		if next := ladder(executor.Interrupt(sig)); l.Signal == 0 || next.Grace > 0 {
			l = next
		}
	}
	return l
}

// stopped reports whether a signal has stopped the run, or the watching.
func (e *Engine) stopped(sig os.Signal) bool {
	if e.watching.Load() != nil {
		return stops(sig)
	}
	return e.Signalled() != nil
}
