package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/command"
)

// signals routes what the program is sent: to an engine, or to what watches, once that may
// run something; before that a signal does what it does to any program.
type signals struct {
	ch        chan os.Signal
	early     chan struct{} // closed at a signal that comes before there is anything to stop
	force     chan struct{} // closed at the third interrupt
	stuck     chan struct{} // closed when a run that was told to stop does not get on
	listening chan struct{} // closed once ch gets the signals

	delivery sync.Mutex // held while a signal is handed on, and while it is said to whom
	guarded  receiver   // see guard; delivery is held
	alarm    sync.Once  // closes stuck

	mu    sync.Mutex // guards the fields below
	to    receiver
	first os.Signal // the one that came early
}

// receiver is what runs tasks.
type receiver interface {
	Signal(os.Signal)
	Signalled() os.Signal   // that stopped it, unless it was meant to end so; or nil
	Stuck() <-chan struct{} // closed when it was told to stop and does not get on
}

func newSignals() *signals {
	return &signals{ch: make(chan os.Signal, 8), early: make(chan struct{}), force: make(chan struct{}), stuck: make(chan struct{}), listening: make(chan struct{})}
}

// withSignals runs f with signals routed, and afterwards dies of the one that
// stopped it, so that the parent sees what happened. A signal that was ignored
// when the program started stays ignored.
func (a *app) withSignals(f func(context.Context, *signals) int) int {
	s := newSignals()
	go s.listen()
	go s.serve(a)
	over := make(chan int, 1)
	go func() { over <- f(context.Background(), s) }()
	var code int
	select {
	case code = <-over:
	case <-s.stuck:
		if sig := s.stoppedBy(); sig != nil {
			a.say(a.err, report.Red, command.Interrupt(sig).Error())
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
		if early := s.deliver(a, sig); early {
			close(s.early)
			return
		}
		if sig != syscall.SIGINT {
			continue
		}
		if interrupts++; interrupts == 3 {
			a.say(a.err, report.Red, "Signal received for the third time: \""+sig.String()+"\". Forcing shutdown")
			close(s.force)
		}
	}
}

// deliver hands a signal on, and reports whether it comes before there is anything to stop.
func (s *signals) deliver(a *app, sig os.Signal) (early bool) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	if s.to == nil {
		if harmless(sig) {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.first = sig
		return true
	}
	if a.env("WEFT_DEBUG") != "" {
		dump(sig)
	}
	s.to.Signal(sig)
	s.guard(s.to)
	return false
}

// guard closes stuck when r is, unless another one is already.
func (s *signals) guard(r receiver) {
	if s.guarded == r {
		return
	}
	s.guarded = r
	go func() {
		<-r.Stuck()
		s.alarm.Do(func() { close(s.stuck) })
	}()
}

// route hands all further signals to r, and what has stopped who got them before. From its
// return on no signal ends the program unheard: only then may something be started.
func (s *signals) route(r receiver) {
	<-s.listening
	s.delivery.Lock()
	defer s.delivery.Unlock()
	if sig := s.stoppedBy(); sig != nil {
		r.Signal(sig)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = r
}

// stoppedBy returns the signal that stopped the run, or nil. It may be one that
// was sent to a command only: the terminal's Ctrl-C reaches who has the
// foreground.
func (s *signals) stoppedBy() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != nil {
		return s.to.Signalled()
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
