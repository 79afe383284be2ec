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

// messages are the buffers of links that are over: while files are watched there is one
// link after the other.
var messages = sync.Pool{New: func() any { return new([keeper.MaxMessage]byte) }}

// listen takes up reports until KEEPER is gone.
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
			// Whoever waited for it goes on at once, instead of when the
			// runtime notices that this goroutine is in a system call again.
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
		s := Status{Usage: Usage{MaxRSS: maxRSS(int64(r.MaxRSS)), User: time.Duration(r.User) * time.Microsecond, System: time.Duration(r.Sys) * time.Microsecond}}
		if w := syscall.WaitStatus(r.Status); w.Signaled() {
			s.Signal = w.Signal()
			s.Code = 128 + int(s.Signal)
		} else {
			s.Code = w.ExitStatus()
		}
		l.tell(p, func() { p.ended(int(r.Pid), int(r.Pgid), s, r.Left) })
	case keeper.RepStopped:
		// After the start was told. What a stop leads to may itself wait for
		// reports.
		s, seen := syscall.Signal(r.Status), r.Continues
		l.tell(p, func() { go l.t.term.stopped(l.t, p.g, p.pgid, s, seen) })
	}
}

// tell calls f with p.g.mu held. Reports must be read whatever happens: who
// holds that lock may be waiting for KEEPER to take a request, and KEEPER for us
// to take a report. So what cannot be told at once is told, in order, by another
// goroutine.
func (l *link) tell(p *Process, f func()) {
	l.mu.Lock()
	behind := len(l.late) > 0
	if !behind && p.g.mu.TryLock() {
		l.mu.Unlock()
		f()
		p.g.mu.Unlock()
		return
	}
	l.late = append(l.late, func() {
		p.g.mu.Lock()
		defer p.g.mu.Unlock()
		f()
	})
	l.mu.Unlock()
	if !behind {
		go l.tellLate()
	}
}

func (l *link) tellLate() {
	for {
		l.mu.Lock()
		f := l.late[0]
		l.mu.Unlock()
		f()
		l.mu.Lock()
		l.late[0] = nil
		l.late = l.late[1:]
		left := len(l.late)
		l.mu.Unlock()
		if left == 0 {
			return
		}
	}
}

// mayLieDead is how long KEEPER may be dead without being weft's to reap: what it left
// must not wait for that.
const mayLieDead = time.Second

// ended is what became of KEEPER.
type ended struct {
	status syscall.WaitStatus
	err    error
}

// reap waits for KEEPER's end.
func (l *link) reap() (e ended) {
	for {
		if _, e.err = syscall.Wait4(l.pid, &e.status, 0, nil); e.err != syscall.EINTR {
			return e
		}
	}
}

// gone takes note of KEEPER's end. If it did not end by itself, when nothing was
// left, everything it kept is ours now, and is killed.
func (l *link) gone() {
	l.mu.Lock()
	l.reaped = true
	l.mu.Unlock()
	l.awake.Stop()
	// The system may keep who is traced from us until the tracer has taken note.
	end := make(chan ended, 1)
	go func() { end <- l.reap() }()
	var e ended
	select {
	case e = <-end:
		keepers.ended(l.pid)
	case <-time.After(mayLieDead):
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
	l.fd = -1 // nobody sends to what gets this number next
	l.send.Unlock()
	if lost {
		sweep(l.t.strangers)
	}
	close(l.over)
	for _, p := range running {
		l.tell(p, func() { p.failed(why) })
	}
	if lost && l.t.onLost != nil {
		l.t.onLost()
	}
}
