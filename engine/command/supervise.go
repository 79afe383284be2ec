package command

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/ready"
	"github.com/weftrun/weft/engine/sched"
)

// supervisor keeps a service running: it starts its program, waits for it to become ready, checks
// that it stays alive, and restarts it as restarts says, until it is told to stop.
//
//	            ready
//	starting ───────────▶ up
//	  ▲   │ ended          │ ended, or not alive
//	  │   ▼                │
//	 waiting ◀─────────────┤
//	  (back-off)           ▼
//	  any of these ──▶ stopping ──▶ done
//
// The goroutine of supervise owns it. Other goroutines may call stop and restart, and read the
// fields documented as such.
type supervisor struct {
	id       event.StepID // of its events
	task     string       // display name
	clock    *clock.Clock
	restarts restarts
	begin    func() *life
	emit     func(event.Event)

	stops           chan event.Change // the first reason to stop
	restartRequests chan event.Change // the first reason to start it again
	up              chan struct{}     // closed when it is ready for the first time
	done            chan struct{}     // closed when it has ended permanently
	err             error             // result, valid once done is closed; nil: success, or it was stopped

	count int       // number of restarts so far
	last  time.Time // time of the last start
}

// life is a service from one start of its program to its end.
type life struct {
	// run starts the program and returns when it has ended, with all its child processes. It calls
	// began when the program runs. The cause of ctx determines how it is stopped.
	run func(ctx context.Context, began func()) error
	// ready returns when the service is ready, or with the reason why it is not; ended is closed when
	// its program has ended. Nil: it is ready when it has begun.
	ready func(ctx context.Context, ended <-chan struct{}) error
	// limit is a further time limit for becoming ready; nil: none.
	limit *sched.TimedOut
	// alive returns why the service has stopped working; nil: no checks.
	alive func(context.Context) error
}

func (v *supervisor) init() {
	v.stops, v.restartRequests = make(chan event.Change, 1), make(chan event.Change, 1)
	v.up, v.done = make(chan struct{}), make(chan struct{})
}

// stop stops the service permanently. It does not wait: done is closed then.
func (v *supervisor) stop(why event.Change) {
	select {
	case v.stops <- why:
	default:
	}
}

// restart stops the service and starts it again at once.
func (v *supervisor) restart(why event.Change) {
	select {
	case v.restartRequests <- why:
	default:
	}
}

// end is the end of a life.
type end struct {
	err   error         // of the program; nil: success, or it was stopped
	final bool          // it was stopped permanently
	why   event.Change  // ByExit: on its own
	seen  error         // error of the probe that is the reason
	up    time.Duration // time since it was ready; 0: it never was
	ready bool          // it was ready
}

// supervise runs the service, and returns when it has ended permanently. The caller closes done.
func (v *supervisor) supervise() {
	for {
		e := v.live()
		var again bool
		var delay time.Duration
		if again, delay, v.err = v.judge(&e); !again {
			v.emit(&event.Stopped{Time: time.Now(), Step: v.id, Task: v.task, Code: executor.ExitCode(e.err), Signal: signalOf(e.err), Err: v.err, Duration: time.Since(v.last), Restarts: v.count})
			return
		}
		v.count++
		ev := &event.Restarted{Time: time.Now(), Step: v.id, Task: v.task, Why: e.why, Restarts: v.count, Code: executor.ExitCode(e.err), Signal: signalOf(e.err), Err: e.err, Delay: delay}
		if e.why == event.ByExit {
			ev.Attempt, ev.Attempts = v.restarts.consecutive, v.restarts.policy.Max
			if ev.Attempts < 0 {
				ev.Attempts = crashes
			}
		}
		v.emit(ev)
		if !v.wait(delay) {
			v.emit(&event.Stopped{Time: time.Now(), Step: v.id, Task: v.task, Duration: time.Since(v.last), Restarts: v.count})
			return
		}
	}
}

// judge decides whether and when the service is restarted after e, or returns its final error.
func (v *supervisor) judge(e *end) (again bool, delay time.Duration, err error) {
	if e.final {
		return false, 0, nil
	}
	switch e.why {
	case event.ByReady:
		return false, 0, e.seen
	case event.ByAlive:
		if v.restarts.applies(true) {
			return true, 0, nil
		}
		return false, 0, e.seen
	case event.ByExit:
	default:
		return true, 0, nil // at the user's request
	}
	if e.err != nil && !isExit(e.err) { // it cannot be run, or was killed with the whole run
		return false, 0, e.err
	}
	delay, again, looping := v.restarts.next(time.Now(), e.up, e.err != nil || !e.ready)
	err = e.err
	if !e.ready {
		err = notReady(e)
	}
	if looping {
		err = &CrashLoop{Restarts: v.restarts.consecutive, Err: err}
	}
	return again, delay, err
}

// notReady returns why a service that has ended was not ready.
func notReady(e *end) error {
	early, ok := e.seen.(*ready.NotReady)
	if !ok {
		return cmp.Or(e.err, e.seen)
	}
	if early.Err = e.err; e.err == nil {
		early.Err = errors.New("exit status 0")
	}
	return early
}

// wait waits before a restart, and reports whether the service was not stopped meanwhile.
func (v *supervisor) wait(d time.Duration) bool {
	due := make(chan struct{})
	timer := v.clock.AfterFunc(d, func() { close(due) })
	defer timer.Stop()
	select {
	case <-due:
	case <-v.restartRequests:
	case <-v.stops:
		return false
	}
	select {
	case <-v.stops:
		return false
	default:
		return true
	}
}

// live starts the service once, and returns when it has ended.
func (v *supervisor) live() (e end) {
	l := v.begin()
	v.last = time.Now()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	began, ended := make(chan struct{}), make(chan struct{})
	var err error
	go func() {
		err = l.run(ctx, sync.OnceFunc(func() { close(began) }))
		close(ended)
	}()
	p := probes{life: l, ended: ended}
	defer p.stop()
	var late <-chan struct{}
	if l.limit != nil {
		c := make(chan struct{})
		late = c
		defer v.clock.AfterFunc(l.limit.After, func() { close(c) }).Stop()
	}
	var since time.Time
	isUp := func() {
		since, e.ready, late = time.Now(), true, nil
		v.emit(&event.Ready{Time: since, Step: v.id, Task: v.task, Duration: since.Sub(v.last), Restarts: v.count})
		if !isClosed(v.up) {
			close(v.up)
		}
		p.watch()
	}
	hasBegun := func() {
		began = nil
		if l.ready == nil {
			isUp()
		} else {
			p.wait()
		}
	}
	stopFor := func(why event.Change, seen error) {
		e.why, e.seen = why, seen
		v.emit(&event.Stopping{Time: time.Now(), Step: v.id, Task: v.task, Why: why, Err: seen})
		p.stop()
		cancel(errStopService)
		<-ended
	}
	for e.why == "" {
		select {
		case <-began:
			hasBegun()
		case seen := <-p.ready:
			if p.ready = nil; seen == nil {
				isUp()
			} else if !isClosed(ended) { // otherwise the end is the reason
				stopFor(event.ByReady, seen)
			} else {
				e.seen = seen
			}
		case seen := <-p.alive:
			stopFor(event.ByAlive, seen)
		case <-late:
			stopFor(event.ByReady, l.limit)
		case why := <-v.stops:
			e.final = true
			stopFor(why, nil)
		case why := <-v.restartRequests:
			stopFor(why, nil)
		case <-ended:
			e.why, e.err = event.ByExit, err
			if isClosed(began) { // a program that ended at once has run, too
				hasBegun()
			}
			if p.ready != nil {
				if e.seen = <-p.ready; e.seen == nil {
					isUp()
				}
			}
		}
	}
	if e.ready {
		e.up = time.Since(since)
	}
	return e
}

// isClosed reports whether a channel, on which no value is sent, is closed; a nil channel is not.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// errStopService is the cause that stops a service.
var errStopService = errors.New("the service is stopped")
