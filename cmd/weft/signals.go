package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/weftrun/weft/cmd/weft/report"
)

// signals routes what the program is sent: to the engine once it runs
// something, before that to the context.
type signals struct {
	ch     chan os.Signal
	cancel context.CancelFunc
	force  chan struct{} // closed at the third interrupt
	ended  chan struct{}

	mu      sync.Mutex // guards the fields below
	deliver func(os.Signal)
	first   os.Signal
	count   int
}

// withSignals runs f with signals routed, and afterwards dies of the one that
// stopped it, so that the parent sees what happened. A signal that was ignored
// when the program started stays ignored.
func (a *app) withSignals(f func(context.Context, *signals) int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &signals{ch: make(chan os.Signal, 8), cancel: cancel, force: make(chan struct{}), ended: make(chan struct{})}
	for _, sig := range [...]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
	// A reader of our output that goes away is an error of writing, not an end
	// without a word: the children are still to be stopped.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	go s.serve(a)
	code := f(ctx, s)
	signal.Stop(s.ch)
	close(s.ch)
	<-s.ended
	if s.first != nil {
		return raise(s.first)
	}
	return code
}

func (s *signals) serve(a *app) {
	defer close(s.ended)
	for sig := range s.ch {
		s.mu.Lock()
		s.count++
		if s.first == nil {
			s.first = sig
		}
		deliver, third := s.deliver, s.count == 3 && sig == syscall.SIGINT
		s.mu.Unlock()
		switch {
		case deliver == nil:
			s.cancel()
		default:
			deliver(sig)
		}
		if third {
			a.say(a.err, report.Red, "Signal received for the third time: \""+sig.String()+"\". Forcing shutdown")
			close(s.force)
		}
	}
}

// route hands all further signals to deliver; those that came before it too.
func (s *signals) route(deliver func(os.Signal)) {
	s.mu.Lock()
	s.deliver = deliver
	first := s.first
	s.mu.Unlock()
	if first != nil {
		deliver(first)
	}
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
