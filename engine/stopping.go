package engine

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/proc"
)

// remindEvery is how often a run that was interrupted says what it waits for.
const remindEvery = 5 * time.Second

// stopping is what signals do to a run:
//
//	first signal      nothing new starts, every command gets it; deferred ones run
//	SIGTERM, SIGHUP   after their grace commands are killed; deferred ones have one
//	                  grace more, together
//	second interrupt  every command is killed; deferred ones have one grace
//	SIGQUIT           what the second interrupt does, at once
//
// A second SIGTERM or SIGHUP changes nothing: supervisors repeat them. After an
// interrupt, which may be waited for however long, the first one does what it says.
type stopping struct {
	executor.Stops
	heard chan struct{} // closed at the first signal

	mu     sync.Mutex // guards the fields below
	cancel context.CancelCauseFunc
	sig    os.Signal
	counts map[os.Signal]int
	remind *time.Ticker
	over   chan struct{} // ends the reminders
}

func (s *stopping) begin(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.sig != nil {
		cancel(executor.Interrupt(s.sig))
	}
}

func (s *stopping) first() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sig
}

func (s *stopping) signal(e *Engine, sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[os.Signal]int{}
	}
	s.counts[sig]++
	cause := executor.Interrupt(sig)
	if e.queue != nil {
		e.queue.Emit(&event.SignalReceived{Time: time.Now(), Signal: sig, Count: s.counts[sig], Running: len(e.progress.tasks())})
	}
	if s.sig == nil {
		s.sig = sig
		close(s.heard)
		if s.cancel != nil {
			s.cancel(cause)
		}
		// What earlier commands left in the background is told, too.
		e.processes.StopLeft(cause, ladder(cause))
		s.startReminding(e)
		if sig == syscall.SIGINT {
			return
		}
	}
	if sig == syscall.SIGINT || sig == syscall.SIGQUIT {
		s.Kill(cause)
	} else if s.counts[sig] == 1 {
		s.Stop(cause, ladder(cause))
	}
}

// ladder is how commands are stopped for a cause.
func ladder(cause error) (l proc.Ladder) {
	var how proc.Stopper
	if errors.As(cause, &how) {
		l = how.StopLadder()
	}
	return l
}

// lost is called when the process that keeps all others is gone, and all others
// with it: the run cannot go on.
func (e *Engine) lost() {
	s := &e.stopping
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(proc.ErrKeeperLost)
	}
}

// startReminding says, while commands that were told to end take their time,
// which they are. s.mu is held.
func (s *stopping) startReminding(e *Engine) {
	s.remind = time.NewTicker(remindEvery)
	s.over = make(chan struct{})
	go func(tick <-chan time.Time, over <-chan struct{}) {
		for {
			select {
			case <-tick:
				if names := e.progress.tasks(); e.queue != nil && len(names) > 0 {
					e.queue.Emit(&event.StillRunning{Time: time.Now(), Tasks: names})
				}
			case <-over:
				return
			}
		}
	}(s.remind.C, s.over)
}

// end says that nothing runs any more.
func (s *stopping) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
	if s.remind != nil {
		s.remind.Stop()
		close(s.over)
		s.remind = nil
	}
}
