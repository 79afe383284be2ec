// Package ready determines whether a service is up, and whether it still is.
//
// A [Probe] connects to the service (http, tcp), checks for a file (file), runs a command (exec),
// or waits for output of the service: a line (log), a message (ipc), or a newline on a descriptor
// (fd). [Probe.Wait] waits until it is ready, [Probe.Watch] until it no longer answers. Both report
// the last observation.
//
// The package knows neither processes nor tasks: commands are run, and messages read, by the owner
// of the service.
package ready

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Kind is a kind of probe.
type Kind uint8

const (
	_    Kind = iota
	Log       // a line of the service's output
	HTTP      // the status of an answer
	TCP       // whether a connection is accepted
	Exec      // how a command ends
	IPC       // messages of the service
	FD        // a newline on a descriptor
	File      // whether a file exists
)

// Probe checks a service. It may be reused for the next start of the service, but not by two
// goroutines at the same time.
type Probe struct {
	Kind Kind
	// Target is the URL of HTTP, the address of TCP or the path of File. For messages it is also
	// the command of Exec and the number of the descriptor of FD.
	Target string
	Dir    string // which relative paths, of sockets too, are relative to; "" means weft's own

	Interval time.Duration // from one attempt to the next; 0 means 200 ms for Wait, 10 s for Watch
	Timeout  time.Duration // of Wait as a whole, 0 means 60 s; of one attempt of Watch, 0 means 5 s
	Failures int           // how many attempts of Watch in a row must fail; 0 means 3

	// Run runs the command of Exec until ctx is done, and returns how it ended. For Watch
	// it may be called while another call has not returned.
	Run func(ctx context.Context) error
	// Messages has a value for each message of the service that it is ready, and is closed
	// when there will be none. It may drop a value while it holds another.
	Messages <-chan struct{}
	// Descriptor is the end of a pipe whose other end only the service has. The caller keeps
	// ownership.
	Descriptor *os.File
	Output     *Output // output of the service

	Clock *clock.Clock // of all limits; nil means a clock that is never stopped
}

const (
	firstDelay = 10 * time.Millisecond // between the first two attempts of Wait; it grows by half each time, up to Interval
	// settle is how long the end of the process may come after that of its descriptors.
	settle = 250 * time.Millisecond
	// leastAttempt is the minimum time for one attempt of Wait, if as much remains.
	leastAttempt = 5 * time.Second
)

var (
	errTimeout    = errors.New("timeout")
	errEnded      = errors.New("ended")
	errUnanswered = errors.New("no answer") // of an attempt that was cut off together with Wait
)

// NotReady means that a service did not become ready.
type NotReady struct {
	Target string // the target of the probe, or ""
	Seen   string // the last observation: "connection refused"
	Tries  int    // number of attempts; 0 for kinds without attempts
	// After is the time waited in vain; 0 if failure was certain before.
	After time.Duration
	// Ended means that the process has ended before. Err is its end, set by the caller.
	Ended bool
	Err   error
}

// Error implements error.
func (e *NotReady) Error() string {
	seen := e.Seen
	switch e.Tries {
	case 0:
	case 1:
		seen += " after 1 try"
	default:
		seen += fmt.Sprintf(" after %d tries", e.Tries)
	}
	if e.Target != "" {
		seen = e.Target + ": " + seen
	}
	switch {
	case e.Ended && e.Err != nil:
		return fmt.Sprintf("%v, before it was ready (%s)", e.Err, seen)
	case e.Ended:
		return fmt.Sprintf("it ended before it was ready (%s)", seen)
	case e.After == 0:
		return "not ready: " + seen
	}
	return fmt.Sprintf("not ready within %s: %s (timeout under ready sets another limit)", e.After, seen)
}

// Unwrap returns Err.
func (e *NotReady) Unwrap() error { return e.Err }

// Wait returns nil as soon as the service is ready, a [*NotReady] when Timeout is over, when
// it is certain that it will not be, or when ended is closed, which means that its process
// has ended; the error of Check; and the cause of ctx when that is done. The first attempt is
// made at once, the next ones soon after it, later ones every Interval.
func (p *Probe) Wait(ctx context.Context, ended <-chan struct{}) error {
	if err := p.Check(); err != nil {
		return err
	}
	waiting, cancel := context.WithCancelCause(ctx)
	timeout := orElse(p.Timeout, time.Minute)
	timer := p.Clock.AfterFunc(timeout, func() { cancel(errTimeout) })
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
			cancel(errEnded)
		case <-waiting.Done():
		}
	}()
	result := &NotReady{Target: p.Target}
	err := p.wait(waiting, result, max(timeout/4, leastAttempt))
	var lost *lostError
	if errors.As(err, &lost) { // as it is when the process has just ended
		select {
		case <-waiting.Done():
		case <-p.Clock.After(settle):
		}
	}
	cause := context.Cause(waiting)
	timer.Stop()
	cancel(nil)
	<-watched
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case cause == errEnded:
		result.Ended = true
	case cause == errTimeout:
		result.After = timeout
	}
	return result
}

// wait waits until the service is ready, it is certain that it will not be, or ctx is done.
// It stores the last observation in seen.
func (p *Probe) wait(ctx context.Context, seen *NotReady, limit time.Duration) error {
	switch p.Kind {
	case Log:
		err := p.Output.wait(ctx)
		seen.Target, seen.Seen = "", p.Output.seen()
		return err
	case FD, IPC:
		wait := p.said
		seen.Target, seen.Seen = "", "it has sent no ready message"
		if p.Kind == FD {
			wait, seen.Seen = p.newline, "no newline on descriptor "+p.Target
		}
		err := wait(ctx)
		if err != nil && ctx.Err() == nil {
			seen.Seen = err.Error()
		}
		return err
	}
	interval := orElse(p.Interval, 200*time.Millisecond)
	for delay := min(firstDelay, interval); ; delay = min(delay*3/2, interval) {
		err := p.attempt(ctx, limit)
		if err == nil {
			return nil
		}
		if err != errUnanswered || seen.Tries == 0 {
			seen.Seen = err.Error()
			seen.Tries++
		}
		next := make(chan struct{})
		timer := p.Clock.AfterFunc(delay, func() { close(next) })
		select {
		case <-next:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// attempt checks the service once, at most for limit.
func (p *Probe) attempt(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := p.Clock.AfterFunc(limit, func() { cancel(&hungError{limit}) })
	defer timer.Stop()
	var err error
	switch p.Kind {
	case HTTP:
		err = p.get(ctx)
	case TCP:
		err = p.connect(ctx)
	case Exec:
		err = p.Run(ctx)
	case IPC:
		err = p.said(ctx)
	case File:
		err = p.exists()
	default:
		panic(fmt.Sprintf("ready: a probe of kind %d makes no attempts", p.Kind))
	}
	if err == nil || ctx.Err() == nil {
		return err
	}
	if hung, ok := context.Cause(ctx).(*hungError); ok {
		return hung
	}
	return errUnanswered
}

// hungError means that an attempt was given up.
type hungError struct{ limit time.Duration }

func (e *hungError) Error() string { return "no response within " + e.limit.String() }

// lostError means that the service has closed its descriptor or channel without reporting.
type lostError struct{ what string }

func (e *lostError) Error() string { return e.what }

func orElse(d, otherwise time.Duration) time.Duration { return cmp.Or(max(d, 0), otherwise) }
