package engine

import (
	"os"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/proc"
)

// Watchdog detects a stopped run that does not end. A stopped run ends when everything it waits for
// has ended, all of which observes its context: templates, files, programs. Something that does
// not, by a fault or because the system blocks it, must not keep weft from ending: so the watchdog
// checks whether the run waits for no command any more and makes no progress. Then weft ends
// without it; wf-keeper ends the remaining processes. It is created by NewWatchdog, and safe for
// concurrent use.
type Watchdog struct {
	stuck   chan struct{}
	guarded sync.Once
	alarm   sync.Once // closes stuck
}

const (
	lookEvery = 100 * time.Millisecond
	// stuckAfter is how long a stopped run may wait for no command until it is stuck.
	stuckAfter = 1500 * time.Millisecond
)

// NewWatchdog returns an idle Watchdog.
func NewWatchdog() *Watchdog { return &Watchdog{stuck: make(chan struct{})} }

// Stuck returns a channel that is closed when the guarded run is stuck.
func (d *Watchdog) Stuck() <-chan struct{} { return d.stuck }

// Guard begins to watch a stopped run; only the first call has an effect. waits reports, for the
// time since the stop, whether the run waits for commands, and how many have begun or ended.
func (d *Watchdog) Guard(waits func(elapsed time.Duration) (waits bool, moves int)) {
	d.guarded.Do(func() { go d.look(waits) })
}

// look closes stuck when the run is stuck. It counts delivered ticks as time: weft may be suspended
// meanwhile, or get no processor. It ends with the process.
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
			d.giveUp()
			return
		}
	}
}

// giveUp closes stuck.
func (d *Watchdog) giveUp() { d.alarm.Do(func() { close(d.stuck) }) }

// LimitStop closes stuck shortly before the end of the time limit for a stop because of sig.
func (d *Watchdog) LimitStop(o *Options, sig os.Signal) {
	if limit := o.stopLimit(sig); limit > 0 {
		time.AfterFunc(limit.whole(), d.giveUp)
	}
}

// Stuck returns a channel that is closed when the run was stopped, has no reason to take longer,
// and still does not end.
func (e *Engine) Stuck() <-chan struct{} { return e.watchdog.Stuck() }

// Waiting reports whether a run that was stopped some time ago waits for commands, and how many
// have begun or ended, which shows progress.
func (e *Engine) Waiting(elapsed time.Duration) (waits bool, moves int) {
	return e.stopping.running.Waiting(e.stopping.strongest(), elapsed)
}

// strongest returns how commands are stopped for the strongest signal so far.
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
