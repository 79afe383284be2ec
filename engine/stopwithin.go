package engine

import (
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/proc"
)

// stopTime is the total time for a stop, and its division:
//
//	signal                  2/3               8/9    29/30  89/90   end
//	  │ services in order    │ all services    │ deferred │  │      │
//	  │ have their graces    │ at once         │          │  │      │
//	  └──────────────────────┴─────────────────┴──────────┴──┴──────┘
//	                             commands are killed      │  │
//	                                   all else is killed   weft ends in any case
//
// A first process of a container that has not ended in time is killed, together with all others,
// without an orderly end.
type stopTime time.Duration

func (d stopTime) ordered() time.Duration  { return time.Duration(d * 2 / 3) }
func (d stopTime) commands() time.Duration { return time.Duration(d - d/9) }
func (d stopTime) deferred() time.Duration { return time.Duration(d - d/30) }
func (d stopTime) whole() time.Duration    { return time.Duration(d - d/90) }

// begin starts the time limits of programs, including running commands, and of services. cause is
// why they end.
func (d stopTime) begin(cause error, programs *proc.Table, running *command.Running, services *command.Services) {
	programs.SetStopDeadline(time.Now().Add(d.commands()))
	running.LimitStop(cause, d.deferred())
	time.AfterFunc(d.ordered(), services.StopAll)
}

// stopLimit returns the time limit for a stop because of sig; 0 means none but graces. An interrupt
// at a terminal has no limit: the user waits, and can interrupt again.
func (o *Options) stopLimit(sig os.Signal) stopTime {
	if sig == syscall.SIGINT && terminal(o.Stdin) != nil {
		return 0
	}
	return stopTime(o.StopWithin)
}

// StopLimited reports whether StopWithin limits a stop because of sig.
func (o *Options) StopLimited(sig os.Signal) bool { return o.stopLimit(sig) > 0 }

// limit starts the time limit of the stop, with the first signal that has one. s.mu is held.
func (s *stopping) limit(e *Engine, sig os.Signal, cause error) {
	d := e.o.stopLimit(sig)
	if d == 0 || s.limited {
		return
	}
	s.limited = true
	d.begin(cause, e.processes, &s.running, e.live)
	e.watchdog.LimitStop(&e.o, sig)
}
