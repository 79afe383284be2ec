//go:build linux && (amd64 || arm64)

package proc

import (
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// messages holds the buffers of closed links for reuse: watch mode opens one link after
// another.
var messages = sync.Pool{New: func() any { return new([keeper.MaxMessage]byte) }}

// listen reads reports until KEEPER is gone.
func (l *link) listen() {
	buf := messages.Get().(*[keeper.MaxMessage]byte)
	defer messages.Put(buf)
	b := buf[:]
	for {
		n, err := syscall.Read(l.fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		if r, ok := keeper.ParseReport(b[:n]); ok {
			l.report(&r)
			// Let the goroutine that waited for the report run now, not only when the
			// runtime notices that this one is in a system call again.
			runtime.Gosched()
		}
	}
	l.gone()
}

func (l *link) report(r *keeper.Report) {
	l.mu.Lock()
	switch r.Kind {
	case keeper.RepMembers:
		answer := l.queries[r.ID]
		delete(l.queries, r.ID)
		l.mu.Unlock()
		if answer != nil {
			answer <- append([]keeper.Member{}, r.Members...) // not nil
		}
		return
	case keeper.RepOrphan:
		if l.orphan != nil {
			close(l.orphan)
			l.orphan = nil
		}
		l.mu.Unlock()
		return
	}
	p := l.procs[r.ID]
	if r.Kind == keeper.RepEnded || r.Kind == keeper.RepFailed {
		delete(l.procs, r.ID)
	}
	l.mu.Unlock()
	if p == nil {
		return
	}
	switch r.Kind {
	case keeper.RepStarted:
		l.tell(p, func() { p.started(int(r.Pid), int(r.Pgid)) })
	case keeper.RepFailed:
		l.tell(p, func() { p.failed(syscall.Errno(r.Errno)) })
	case keeper.RepEnded:
		usage := Usage{MaxRSS: maxRSS(int64(r.MaxRSS)), User: time.Duration(r.User) * time.Microsecond, System: time.Duration(r.Sys) * time.Microsecond}
		s := statusOf(syscall.WaitStatus(r.Status), usage)
		l.tell(p, func() { p.ended(int(r.Pid), int(r.Pgid), s, r.HasLeftovers) })
	case keeper.RepStopped:
		// The start has been told before. Handling a stop may itself wait for reports.
		s, seen := syscall.Signal(r.Status), r.Continues
		l.tell(p, func() { go l.t.term.stopped(l.t, p.g, p.pgid, s, seen) })
	}
}

// tell calls f with p.g.mu locked. listen must not wait for that lock: its holder may be
// waiting for KEEPER to read a request, while KEEPER waits for listen to read a report. So
// if the lock is taken, another goroutine calls f, in order.
func (l *link) tell(p *Process, f func()) {
	l.mu.Lock()
	queued := len(l.delayed) > 0
	if !queued && p.g.mu.TryLock() {
		l.mu.Unlock()
		f()
		p.g.mu.Unlock()
		return
	}
	l.delayed = append(l.delayed, func() {
		p.g.mu.Lock()
		defer p.g.mu.Unlock()
		f()
	})
	l.mu.Unlock()
	if !queued {
		go l.tellDelayed()
	}
}

// tellDelayed calls the delayed functions in order, until there are none.
func (l *link) tellDelayed() {
	for {
		l.mu.Lock()
		f := l.delayed[0]
		l.mu.Unlock()
		f()
		l.mu.Lock()
		l.delayed[0] = nil
		l.delayed = l.delayed[1:]
		more := len(l.delayed) > 0
		l.mu.Unlock()
		if !more {
			return
		}
	}
}

// reapLimit is how long weft waits to reap a dead KEEPER, which a tracer may delay, before
// it kills the programs that KEEPER has left.
const reapLimit = time.Second

// keeperEnd is how KEEPER ended.
type keeperEnd struct {
	status syscall.WaitStatus
	err    error
}

// reap waits for the end of KEEPER.
func (l *link) reap() (e keeperEnd) {
	for {
		if _, e.err = syscall.Wait4(l.pid, &e.status, 0, nil); e.err != syscall.EINTR {
			return e
		}
	}
}

// gone handles the end of KEEPER. Unless KEEPER has ended because no process was left, its
// children are ours now, and are killed.
func (l *link) gone() {
	l.mu.Lock()
	l.reaped = true
	l.mu.Unlock()
	l.watch.Stop()
	// The kernel lets a tracer reap KEEPER first.
	end := make(chan keeperEnd, 1)
	go func() { end <- l.reap() }()
	var e keeperEnd
	select {
	case e = <-end:
		keepers.ended(l.pid)
	case <-time.After(reapLimit):
		e.err = syscall.ECHILD
	}
	status, err := e.status, e.err
	lost := err != nil || !status.Exited() || status.ExitStatus() != 0
	l.mu.Lock()
	if l.lost = fs.ErrClosed; lost {
		l.lost = ErrKeeperLost
		if err == nil && status.Exited() {
			l.lost = fmt.Errorf("%w: it ended by itself, with %d; are enough processes and threads allowed (ulimit -u)?", ErrKeeperLost, status.ExitStatus())
		}
	}
	why := l.lost
	running := l.procs
	l.procs = nil
	l.mu.Unlock()
	l.send.Lock()
	syscall.Close(l.fd)
	l.fd = -1 // the number may be reused
	l.send.Unlock()
	if lost {
		sweep(l.t.inherited)
	}
	close(l.done)
	for _, p := range running {
		l.tell(p, func() { p.failed(why) })
	}
	if lost && l.t.onLost != nil {
		l.t.onLost()
	}
}
