package main

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// fakeReceiver records the signals that it receives. The first one stops it.
type fakeReceiver struct {
	enter chan struct{} // Signal receives from it at its beginning and its end; nil: it does not wait
	stuck chan struct{}

	mu  sync.Mutex // guards got
	got []os.Signal
}

func (f *fakeReceiver) Signal(sig os.Signal) {
	if f.enter != nil {
		<-f.enter
		defer func() { <-f.enter }()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, sig)
}

func (f *fakeReceiver) Signalled() os.Signal {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		return nil
	}
	return f.got[0]
}

func (f *fakeReceiver) Stuck() <-chan struct{} { return f.stuck }

func (f *fakeReceiver) ReleaseShared() {}

// TestRoute: no signal is lost if the receiver is replaced while it handles one, and each receiver
// may block.
func TestRoute(t *testing.T) {
	s, a := newSignals(), new(app)
	if early := s.deliver(a, syscall.SIGTERM); !early || s.stoppedBy() != syscall.SIGTERM {
		t.Errorf("before there is anything to stop: early %t, stopped by %v", early, s.stoppedBy())
	}
	s = newSignals()
	first := &fakeReceiver{enter: make(chan struct{}), stuck: make(chan struct{})}
	second := &fakeReceiver{stuck: make(chan struct{})}
	s.route(first)
	go s.deliver(a, syscall.SIGINT)
	first.enter <- struct{}{}
	routed := make(chan struct{})
	go func() {
		s.route(second)
		close(routed)
	}()
	first.enter <- struct{}{}
	<-routed
	if early := s.deliver(a, syscall.SIGTERM); early {
		t.Error("it is not early any more")
	}
	if !slices.Equal(first.got, []os.Signal{syscall.SIGINT}) || !slices.Equal(second.got, []os.Signal{syscall.SIGINT, syscall.SIGTERM}) {
		t.Errorf("the first got %v, the second %v", first.got, second.got)
	}
	if s.stoppedBy() != syscall.SIGINT {
		t.Errorf("stopped by %v", s.stoppedBy())
	}
	close(second.stuck)
	<-s.stuck
	close(first.stuck)
}
