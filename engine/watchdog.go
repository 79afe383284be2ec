package engine

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/proc"
)

// Watchdog notices that what was told to stop does not. A run that was told to stop ends
// when all that it waits for has ended, and all of that looks at its context: templates,
// files, programs. What does not, by a fault or because the system keeps it waiting, must
// not keep weft from ending: so the watchdog looks whether the run waits for no command any
// more and does not get on. Then weft ends without it; wf-keeper ends what is left.
// It is made by NewWatchdog, and safe for concurrent use.
type Watchdog struct {
	stuck   chan struct{}
	guarded sync.Once
}

const (
	lookEvery = 100 * time.Millisecond
	// stuckAfter is how long a stopped run may wait for no command until it is stuck.
	stuckAfter = 1500 * time.Millisecond
)

// NewWatchdog returns a Watchdog that guards nothing yet.
func NewWatchdog() *Watchdog { return &Watchdog{stuck: make(chan struct{})} }

// Stuck returns a channel that is closed when what is guarded does not get on.
func (d *Watchdog) Stuck() <-chan struct{} { return d.stuck }

// Guard begins to look at what was told to stop; all but the first call do nothing. waits
// reports, for the time since it was told, whether it waits for commands, and how many have
// begun or ended.
func (d *Watchdog) Guard(waits func(elapsed time.Duration) (waits bool, moves int)) {
	d.guarded.Do(func() { go d.look(waits) })
}

// look closes stuck when the time has come. Time is counted in ticks that were delivered:
// weft may be suspended meanwhile, or get no processor. It ends with the process.
func (d *Watchdog) look(waits func(time.Duration) (bool, int)) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	moves := 0
	elapsed, waited := time.Duration(0), time.Duration(0)
	for range tick.C {
		elapsed += lookEvery
		commands, now := waits(elapsed)
		if waited += lookEvery; commands || now != moves {
			waited, moves = 0, now
		}
		if waited >= stuckAfter {
			close(d.stuck)
			return
		}
	}
}

// Stuck returns a channel that is closed when the run was told to stop, has no reason to
// take longer, and does.
func (e *Engine) Stuck() <-chan struct{} { return e.watchdog.Stuck() }

// Waits reports whether a run that was told to stop some time ago waits for commands, and
// counts how many have begun or ended, so that it can be seen whether it gets on.
func (e *Engine) Waits(elapsed time.Duration) (waits bool, moves int) {
	return e.stopping.Waiting(e.stopping.strongest(), elapsed)
}

// strongest is how commands are stopped for the strongest signal so far.
func (s *stopping) strongest() proc.Ladder {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l proc.Ladder
	for sig := range s.counts {
		if next := ladder(command.Interrupt(sig)); l.Signal == 0 || next.Grace > 0 {
			l = next
		}
	}
	return l
}
