package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/internal/stack"
)

// signals routes signals to an engine or to watch mode, once these may run something. Before that a
// signal has its default effect.
//
// The process is registered for signals only then, see await. Go starts threads for that and hands
// them its processors, which other work may need: of a run of 1,000 up-to-date tasks it takes 15 %.
type signals struct {
	ch     chan os.Signal
	listen sync.Once     // registers ch for the signals
	early  chan struct{} // closed by a signal that arrives before there is a receiver
	force  chan struct{} // closed by the third interrupt
	stuck  chan struct{} // closed when a run that was told to stop makes no progress

	delivery sync.Mutex // locked while a signal is delivered, and while the receiver changes
	guarded  receiver   // see guard; guarded by delivery
	alarm    sync.Once  // closes stuck

	mu    sync.Mutex // guards the fields below
	to    receiver
	first os.Signal // the early signal
}

// receiver receives signals: it runs tasks.
type receiver interface {
	Signal(os.Signal)
	Signalled() os.Signal   // the signal that stopped it, unless that is how it should end; or nil
	Stuck() <-chan struct{} // closed when it was told to stop and makes no progress
	ReleaseShared()         // called when the program ends without waiting for it
}

func newSignals() *signals {
	return &signals{ch: make(chan os.Signal, 8), early: make(chan struct{}), force: make(chan struct{}), stuck: make(chan struct{})}
}

// withSignals runs f with signals routed. If a signal has stopped it, the program then kills
// itself by the same signal, so that its parent sees what happened. A signal that was ignored
// when the program started stays ignored.
func (a *app) withSignals(f func(context.Context, *signals) int) int {
	s := newSignals()
	go s.serve(a)
	defer time.AfterFunc(unregistered, s.await).Stop()
	over := make(chan int, 1)
	go func() {
		stack.Grow()
		over <- f(context.Background(), s)
	}()
	var code int
	select {
	case code = <-over:
	case <-s.stuck:
		s.abandon()
		if sig := s.stoppedBy(); sig != nil {
			a.say(a.err, report.Red, command.Interrupt(sig).Error())
		}
	case <-s.early: // do not wait for f: reading a pipe may take forever
	}
	// The handlers stay: removing them takes longer than exiting.
	if sig := s.stoppedBy(); sig != nil {
		return raise(sig)
	}
	return code
}

// unregistered is how long the process may go without being registered for signals if it starts
// nothing.
const unregistered = 20 * time.Millisecond

// await returns when signals are routed. It is called before something is run that they must not
// leave behind, by any goroutine.
func (s *signals) await() {
	s.listen.Do(func() {
		s.notify(stops[:])
		// When the reader of our output is gone, writing must return an error instead of
		// killing us: the children must still be stopped.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
		go s.notify(others[:])
	})
}

func (s *signals) notify(sigs []os.Signal) {
	for _, sig := range sigs {
		if !signal.Ignored(sig) {
			signal.Notify(s.ch, sig)
		}
	}
}

// serve delivers signals for as long as the program runs.
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
			s.abandon()
			close(s.force)
		}
	}
}

// abandon notifies the receiver, if any, that the program does not wait for it.
func (s *signals) abandon() {
	s.mu.Lock()
	to := s.to
	s.mu.Unlock()
	if to != nil {
		to.ReleaseShared()
	}
}

// deliver delivers a signal, and reports whether it came before there was a receiver.
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
	if a.area != nil && suspends(sig) {
		a.area.PauseProgress()
		defer a.area.ResumeProgress()
		defer a.area.Redraw()
		defer a.area.Hide()()
	}
	if a.area != nil && resizes(sig) {
		a.area.Redraw()
	}
	s.to.Signal(sig)
	s.guard(s.to)
	return false
}

// guard closes s.stuck when r is stuck, unless that is closed already.
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

// route makes r the receiver, and delivers to it the signal that has stopped the previous one.
func (s *signals) route(r receiver) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	if sig := s.stoppedBy(); sig != nil {
		r.Signal(sig)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = r
}

// stoppedBy returns the signal that stopped the run, or nil. It may have been sent to a
// command only: the terminal sends Ctrl-C to its foreground.
func (s *signals) stoppedBy() os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != nil {
		return s.to.Signalled()
	}
	return s.first
}

// raise kills the process by sig. The first process of a container cannot be killed like
// that, and SIGQUIT would dump core: for these it returns the exit code that a shell would
// show.
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
