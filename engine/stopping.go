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
//
// Signals come from a goroutine of their own, and may come before the run begins: then they
// stop it, and are told, as soon as it does. All that they touch of an Engine is here, or is
// made by New and safe for concurrent use.
type stopping struct {
	command.Running
	heard chan struct{} // closed at the first signal

	mu      sync.Mutex // guards the fields below
	cancel  context.CancelCauseFunc
	emit    func(event.Event) // to who listens to the run; nil before and after it
	untold  []event.Event     // of signals that came before the run
	sig     os.Signal         // the first one
	counts  map[os.Signal]int
	reminds chan struct{} // closed to end the reminders; nil while there are none
}

// begin has signals end what cancel ends; one that came before ends it now.
func (s *stopping) begin(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if s.sig != nil {
		cancel(command.Interrupt(s.sig))
	}
}

// beginRun is begin for a run of e, of which emit tells.
func (s *stopping) beginRun(e *Engine, cancel context.CancelCauseFunc, emit func(event.Event)) {
	s.begin(cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit = emit
	for _, ev := range s.untold {
		emit(ev)
	}
	s.untold = nil
	if s.sig != nil {
		s.remind(e)
	}
}

// tell hands ev to who listens to the run, or keeps it until there is one. s.mu is held.
func (s *stopping) tell(ev event.Event) {
	if s.emit == nil {
		s.untold = append(s.untold, ev)
	} else {
		s.emit(ev)
	}
}

func (s *stopping) first() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sig
}

// signal stops the run of e, or stops it in a harder way than signals before did.
func (s *stopping) signal(e *Engine, sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[os.Signal]int{}
	}
	s.counts[sig]++
	cause := command.Interrupt(sig)
	running, _ := e.progress.steps()
	s.tell(&event.SignalReceived{Time: time.Now(), Signal: sig, Count: s.counts[sig], Running: len(running)})
	if s.sig == nil {
		s.sig = sig
		close(s.heard)
		if s.cancel != nil {
			s.cancel(cause)
		}
		// What earlier commands left in the background is told, too.
		e.processes.StopLeftovers(cause, ladder(cause))
		if s.emit != nil {
			s.remind(e)
		}
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

// remind tells, while commands that were told to end take their time, which they are.
// s.mu is held.
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

// end notes that nothing runs any more.
func (s *stopping) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel, s.emit = nil, nil
	if s.reminds != nil {
		close(s.reminds)
		s.reminds = nil
	}
}

// Signal tells the engine that weft got sig: it is handed on, or stops the run.
func (e *Engine) Signal(sig os.Signal) {
	if !e.HandOn(sig) {
		e.Stop(sig)
	}
}

// Stop stops the run because weft got sig, which every running step gets, too; a second
// interrupt kills. What comes before Run stops it when it begins.
func (e *Engine) Stop(sig os.Signal) {
	e.stopping.signal(e, sig)
	e.watchdog.Guard(e.Waits)
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

// terminal returns f if it is a terminal.
func terminal(f *os.File) *os.File {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// interrupted is called when the command that had the terminal died of the
// user's Ctrl-C, or exited as if it had, of which the kernel told only that
// command. One that exited may have asked the user itself.
func (e *Engine) interrupted(died bool) {
	if died && e.o.Interrupt != nil {
		e.o.Interrupt()
		// The run is not over before that was heard: weft is to end by it.
		select {
		case <-e.stopping.heard:
		case <-time.After(interruptLimit):
		}
		return
	}
	e.Signal(syscall.SIGINT)
}

// interruptLimit is how long weft's own signal may take to arrive.
const interruptLimit = time.Second
