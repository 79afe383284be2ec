package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/executor"
)

// signals routes what the program is sent: to the engine once that may run
// something; before that a signal does what it does to any program.
type signals struct {
	ch        chan os.Signal
	early     chan struct{} // closed at a signal that comes before there is anything to stop
	force     chan struct{} // closed at the third interrupt
	stuck     chan struct{} // closed when a run that was told to stop does not get on
	listening chan struct{} // closed once ch gets the signals

	guarded bool // see guard

	mu     sync.Mutex // guards the fields below
	engine *engine.Engine
	first  os.Signal // the one that came early
}

// withSignals runs f with signals routed, and afterwards dies of the one that
// stopped it, so that the parent sees what happened. A signal that was ignored
// when the program started stays ignored.
func (a *app) withSignals(f func(context.Context, *signals) int) int {
	s := &signals{ch: make(chan os.Signal, 8), early: make(chan struct{}), force: make(chan struct{}), stuck: make(chan struct{}), listening: make(chan struct{})}
	go s.listen()
	go s.serve(a)
	over := make(chan int, 1)
	go func() { over <- f(context.Background(), s) }()
	var code int
	select {
	case code = <-over:
	case <-s.stuck:
		if sig := s.stoppedBy(); sig != nil {
			a.say(a.err, report.Red, executor.Interrupt(sig).Error())
		}
	case <-s.early: // f is left where it is: reading a file may take for ever, if it is a pipe
	}
	// The handlers stay: taking them away takes longer than the rest of the
	// way out.
	if sig := s.stoppedBy(); sig != nil {
		return raise(sig)
	}
	return code
}

// listen has the signals sent to s. Go needs threads of its own for that, so it
// is done beside reading the file; see [signals.route].
func (s *signals) listen() {
	s.notify(stops[:])
	// A reader of our output that goes away is an error of writing, not an end
	// without a word: the children are still to be stopped.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	close(s.listening)
	s.notify(others[:])
}

func (s *signals) notify(sigs []os.Signal) {
	for _, sig := range sigs {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
}

// serve passes signals on, for as long as the program runs.
func (s *signals) serve(a *app) {
	interrupts := 0
	for sig := range s.ch {
		s.mu.Lock()
		e := s.engine
		if e == nil && !harmless(sig) {
			s.first = sig
			close(s.early)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if e == nil {
			continue
		}
		if a.env("WEFT_DEBUG") != "" {
			dump(sig)
		}
		e.Signal(sig)
		s.guard(e)
		if sig != syscall.SIGINT {
			continue
		}
		if interrupts++; interrupts == 3 {
			a.say(a.err, report.Red, "Signal received for the third time: \""+sig.String()+"\". Forcing shutdown")
			close(s.force)
		}
	}
}

// guard closes stuck when e is. It is called by serve.
func (s *signals) guard(e *engine.Engine) {
	if s.guarded {
		return
	}
	s.guarded = true
	go func() {
		<-e.Stuck()
		close(s.stuck)
	}()
}

// route hands all further signals to e. From its return on no signal ends the
// program unheard: only then may something be started.
func (s *signals) route(e *engine.Engine) {
	<-s.listening
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine = e
}

// stoppedBy returns the signal that stopped the run, or nil. It may be one that
// was sent to a command only: the terminal's Ctrl-C reaches who has the
// foreground.
func (s *signals) stoppedBy() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != nil {
		return s.engine.Signalled()
	}
	return s.first
}

// raise ends the process by sig. The first process of a container cannot be
// ended that way, and SIGQUIT is no reason for a core dump: it returns the code
// a shell would show.
func raise(sig os.Signal) int {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return exitOther
	}
	if os.Getpid() != 1 && n != syscall.SIGQUIT {
		signal.Reset(sig)
		kill(n)
	}
	return 128 + int(n)
}
