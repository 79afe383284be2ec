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
		l.deliver(p, func() { p.started(int(r.Pid), int(r.Pgid)) })
	case keeper.RepFailed:
		l.deliver(p, func() { p.failed(startFailure(r)) })
	case keeper.RepEnded:
		usage := Usage{MaxRSS: maxRSS(int64(r.MaxRSS)), User: time.Duration(r.User) * time.Microsecond, System: time.Duration(r.Sys) * time.Microsecond}
		s := statusOf(syscall.WaitStatus(r.Status), usage)
		l.deliver(p, func() { p.ended(int(r.Pid), int(r.Pgid), s, r.HasLeftovers) })
	case keeper.RepStopped:
		// The start was reported before. Handling a stop may itself wait for reports.
		s, seen := syscall.Signal(r.Status), r.Continues
		l.deliver(p, func() { go l.t.term.stopped(l.t, p.g, p.pgid, s, seen) })
	}
}

// deliver calls f with p.g.mu locked. listen must not wait for that lock: its holder may be
// waiting for KEEPER to read a request, while KEEPER waits for listen to read a report. So
// if the lock is taken, another goroutine calls f, in order.
func (l *link) deliver(p *Process, f func()) {
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
		go l.deliverDelayed()
	}
}

// deliverDelayed calls the delayed functions in order, until there are none.
func (l *link) deliverDelayed() {
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

// gone handles the end of KEEPER. Unless KEEPER has ended because no process was left, its
// children are ours now, and are killed.
func (l *link) gone() {
	l.mu.Lock()
	l.reaped = true
	l.mu.Unlock()
	l.watch.Stop()
	// The kernel lets a tracer reap KEEPER first.
	reaped := make(chan int, 1) // its exit status, or -1 if it has none
	go func() {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(l.pid, &status, 0, nil)
		for err == syscall.EINTR {
			_, err = syscall.Wait4(l.pid, &status, 0, nil)
		}
		if err != nil {
			status = syscall.WaitStatus(syscall.SIGKILL)
		}
		reaped <- status.ExitStatus()
	}()
	status := -1
	select {
	case status = <-reaped:
		keepers.ended(l.pid)
	case <-time.After(reapLimit):
	}
	lost := status != 0
	l.mu.Lock()
	if l.lost = fs.ErrClosed; lost {
		l.lost = ErrKeeperLost
		if status > 0 {
			l.lost = fmt.Errorf("%w: it exited with %d; are enough processes and threads allowed (ulimit -u)?", ErrKeeperLost, status)
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
		l.deliver(p, func() { p.failed(why) })
	}
	if lost && l.t.onLost != nil {
		l.t.onLost()
	}
}
