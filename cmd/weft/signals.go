package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/weftrun/weft/cmd/weft/report"
)

// signals routes what the program is sent: to the engine once it may run
// something; before that a signal ends the program, as if nobody had asked for it.
type signals struct {
	ch        chan os.Signal
	early     chan struct{} // closed at a signal that comes before there is anything to stop
	force     chan struct{} // closed at the third interrupt
	listening chan struct{} // closed once ch gets the signals

	mu      sync.Mutex // guards the fields below
	deliver func(os.Signal)
	first   os.Signal
	count   int
}

// withSignals runs f with signals routed, and afterwards dies of the one that
// stopped it, so that the parent sees what happened. A signal that was ignored
// when the program started stays ignored.
func (a *app) withSignals(f func(context.Context, *signals) int) int {
	s := &signals{ch: make(chan os.Signal, 8), early: make(chan struct{}), force: make(chan struct{}), listening: make(chan struct{})}
	go s.listen()
	go s.serve(a)
	over := make(chan int, 1)
	go func() { over <- f(context.Background(), s) }()
	var code int
	select {
	case code = <-over:
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
	for _, sig := range [...]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
	// A reader of our output that goes away is an error of writing, not an end
	// without a word: the children are still to be stopped.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	close(s.listening)
}

// serve passes signals on, for as long as the program runs.
func (s *signals) serve(a *app) {
	for sig := range s.ch {
		s.mu.Lock()
		s.count++
		if s.first == nil {
			s.first = sig
		}
		deliver, third := s.deliver, s.count == 3 && sig == syscall.SIGINT
		if deliver == nil {
			close(s.early)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		deliver(sig)
		if third {
			a.say(a.err, report.Red, "Signal received for the third time: \""+sig.String()+"\". Forcing shutdown")
			close(s.force)
		}
	}
}

// route hands all further signals to deliver. From its return on no signal ends
// the program unheard: only then may something be started.
func (s *signals) route(deliver func(os.Signal)) {
	<-s.listening
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliver = deliver
}

// stopped tells of the signal that stopped a run though it was sent to one of
// its commands only: the terminal's Ctrl-C reaches who has the foreground.
func (s *signals) stopped(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = sig
	}
}

// stoppedBy returns the signal that stopped the run, or nil.
func (s *signals) stoppedBy() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// raise ends the process by sig. The first process of a container cannot be
// ended that way: it returns the code a shell would show.
func raise(sig os.Signal) int {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return exitOther
	}
	if os.Getpid() != 1 {
		signal.Reset(sig)
		kill(n)
	}
	return 128 + int(n)
}
