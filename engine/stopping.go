package engine

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
)

// remindEvery is the interval at which an interrupted run reports the steps still running.
const remindEvery = 5 * time.Second

// stopping implements the effect of signals on a run:
//
//	first signal      nothing new starts, every command gets it; deferred ones run
//	SIGTERM, SIGHUP   after their grace commands are killed; deferred ones have one
//	                  grace more, together
//	second interrupt  every command is killed; deferred ones have one grace
//	SIGQUIT           like the second interrupt, at once
//
// Options.StopWithin shortens all of that, see limit.
//
// A second SIGTERM or SIGHUP changes nothing, because supervisors repeat them. After an interrupt,
// which has no time limit, the first of them has its usual effect.
//
// Signals arrive on a separate goroutine, possibly before the run begins: then they stop it, and
// are reported, as soon as it does. All state of an Engine that they touch is here, or is created
// by New and safe for concurrent use.
type stopping struct {
	running command.Running
	heard   chan struct{} // closed at the first signal

	mu         sync.Mutex // guards the fields below
	cancel     context.CancelCauseFunc
	emit       func(event.Event) // to the run's sink; nil before and after it
	unreported []event.Event     // events of signals that arrived before the run
	sig        os.Signal         // the first one
	counts     map[os.Signal]int
	reminds    chan struct{} // closed to end the reminders; nil while there are none
	limited    bool          // the stop has a time limit already
}

// begin makes signals call cancel; an earlier signal calls it now.
func (s *stopping) begin(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.sig != nil {
		cancel(command.Interrupt(s.sig))
	}
}

// beginRun is begin for a run of e, whose events go to emit.
func (s *stopping) beginRun(e *Engine, cancel context.CancelCauseFunc, emit func(event.Event)) {
	s.begin(cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit = emit
	for _, ev := range s.unreported {
		emit(ev)
	}
	s.unreported = nil
	if s.sig != nil {
		s.remind(e)
	}
}

// post emits ev, or keeps it until there is a run. s.mu is held.
func (s *stopping) post(ev event.Event) {
	if s.emit == nil {
		s.unreported = append(s.unreported, ev)
	} else {
		s.emit(ev)
	}
}

// signal stops the run of e, or stops it harder than earlier signals did.
func (s *stopping) signal(e *Engine, sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[os.Signal]int{}
	}
	s.counts[sig]++
	cause := command.Interrupt(sig)
	running, _ := e.progress.steps()
	s.post(&event.SignalReceived{Time: time.Now(), Signal: sig, Count: s.counts[sig], Running: len(running)})
	s.limit(e, sig, cause)
	if s.sig == nil {
		s.sig = sig
		close(s.heard)
		if s.cancel != nil {
			s.cancel(cause)
		}
		// Leftover processes of earlier commands get the signal, too.
		e.processes.StopLeftovers(cause, ladder(cause))
		if s.emit != nil {
			s.remind(e)
		}
		if sig == syscall.SIGINT {
			return
		}
	}
	if sig == syscall.SIGINT || sig == syscall.SIGQUIT {
		s.running.Kill(cause)
	} else if s.counts[sig] == 1 {
		s.running.Stop(cause, ladder(cause))
	}
}

// ladder returns how commands are stopped for a cause.
func ladder(cause error) (l proc.Ladder) {
	var how proc.Stopper
	if errors.As(cause, &how) {
		l = how.StopLadder()
	}
	return l
}

// lost is called when the keeper process is gone, and all processes with it: the run cannot
// continue.
func (e *Engine) lost() {
	s := &e.stopping
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(proc.ErrKeeperLost)
	}
}

// remind regularly reports the commands that have not ended after they were told to. s.mu is held.
func (s *stopping) remind(e *Engine) {
	end, emit := make(chan struct{}), s.emit
	s.reminds = end
	go func() {
		tick := time.NewTicker(remindEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, names := e.progress.steps(); len(names) > 0 {
					emit(&event.StillRunning{Time: time.Now(), Tasks: names})
				}
			case <-end:
				return
			}
		}
	}()
}

// end records that nothing runs any more.
func (s *stopping) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel, s.emit = nil, nil
	if s.reminds != nil {
		close(s.reminds)
		s.reminds = nil
	}
}

// Signal handles a signal to weft: it is forwarded, or stops the run.
func (e *Engine) Signal(sig os.Signal) {
	if !e.HandleSignal(sig) {
		e.Stop(sig)
	}
}

// Stop stops the run because weft received sig, which every running step gets, too; a second
// interrupt kills. A call before Run stops it when it begins.
func (e *Engine) Stop(sig os.Signal) {
	e.stopping.signal(e, sig)
	e.watchdog.Guard(e.Waiting)
}

// SignalCommands sends sig to every command that runs. It may be called while Run runs.
func (e *Engine) SignalCommands(sig syscall.Signal) { e.processes.Signal(sig) }

// SignalContext returns a context for queries: it ends at the first signal that would stop a run.
func (e *Engine) SignalContext(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	e.stopping.begin(cancel)
	return ctx, cancel
}

// Signalled returns the signal that stopped the run, or nil.
func (e *Engine) Signalled() os.Signal {
	e.stopping.mu.Lock()
	defer e.stopping.mu.Unlock()
	return e.stopping.sig
}

// terminal returns f if it is a terminal.
func terminal(f *os.File) *os.File {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// interrupted is called when the command that had the terminal died of the user's Ctrl-C, or exited
// as if it had, of which the kernel informed only that command. One that exited may have prompted
// the user itself.
func (e *Engine) interrupted(died bool) {
	if died && e.o.Interrupt != nil {
		e.o.Interrupt()
		// The run must not end before the signal arrives, because weft is to end by it.
		select {
		case <-e.stopping.heard:
		case <-time.After(interruptLimit):
		}
		return
	}
	e.Signal(syscall.SIGINT)
}

// interruptLimit is the time limit for weft's own signal to arrive.
const interruptLimit = time.Second
