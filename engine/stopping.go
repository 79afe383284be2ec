package engine

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/sched"
)

// remindEvery is how often a run that was interrupted says what it waits for.
const remindEvery = 5 * time.Second

// stopping is what signals do to a run:
//
//	first signal      nothing new starts, every command gets it
//	second interrupt  every command is killed; deferred ones still run
//	later interrupts  these are killed too
//
// A second SIGTERM or SIGHUP changes nothing: supervisors repeat them.
type stopping struct {
	executor.Stops
	mu     sync.Mutex // guards the fields below
	cancel context.CancelCauseFunc
	sig    os.Signal
	count  int
}

func (s *stopping) begin(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.sig != nil {
		cancel(&sched.Interrupted{Signal: s.sig})
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
	s.count++
	cause := &sched.Interrupted{Signal: sig}
	if e.queue != nil {
		e.queue.Emit(&event.SignalReceived{Time: time.Now(), Signal: sig, Count: s.count, Running: int(e.running.Load())})
	}
	if s.sig == nil {
		s.sig = sig
		if s.cancel != nil {
			s.cancel(cause)
		}
		return
	}
	if sig == syscall.SIGINT || sig == syscall.SIGQUIT {
		s.Kill(cause)
	}
}
