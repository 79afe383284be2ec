package proc

import (
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a started program. Wait must be called, once.
type Process struct {
	g        *Group
	job      string
	pid      int
	pgid     int
	pidfd    int  // -1: none
	blocking bool // waited for by a thread of its own
	isPolled bool // in Table.polled
	index    int  // place there; guarded by Table.mu

	// guarded by g.mu
	reaped  bool
	told    bool           // got the terminal's Ctrl-C
	stopped syscall.Signal // news of a stop, not yet handled; 0: none
	status  syscall.WaitStatus
	usage   syscall.Rusage
}

// Status is how a process ended.
type Status struct {
	Code   int            // the exit status, or 128 + Signal
	Signal syscall.Signal // what killed it; 0: it exited
	MaxRSS int64          // in bytes
	User   time.Duration
	Sys    time.Duration
}

// Wait blocks until the process has ended and returns how. A process that was
// stopped because it wanted the terminal gets it, as soon as that is free.
func (p *Process) Wait() Status {
	t := p.g.t
	if p.blocking || p.pidfd < 0 {
		p.waitBlocking()
	} else {
		p.waitPolling()
	}
	if p.blocking {
		t.blocked.Add(-1)
	}
	if p.isPolled {
		t.unpoll(p)
	}
	s := Status{
		Code:   p.status.ExitStatus(),
		MaxRSS: p.usage.Maxrss * 1024,
		User:   time.Duration(p.usage.Utime.Nano()),
		Sys:    time.Duration(p.usage.Stime.Nano()),
	}
	if p.status.Signaled() {
		s.Signal = p.status.Signal()
		s.Code = 128 + int(s.Signal)
	}
	t.term.ended(p, s)
	return s
}

// waitBlocking waits in a system call. It looks first and reaps under the
// group's lock afterwards, so that the process id stays valid for a signal.
func (p *Process) waitBlocking() {
	for {
		unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		if p.reap() {
			return
		}
		p.g.t.term.stopped(p.g.t, p)
	}
}

// waitPolling waits in Go's poller; stops are found by the table's watch.
func (p *Process) waitPolling() {
	unix.SetNonblock(p.pidfd, true)
	f := os.NewFile(uintptr(p.pidfd), "pidfd")
	defer f.Close()
	if c, err := f.SyscallConn(); err == nil {
		over := func(uintptr) bool {
			if p.reap() {
				return true
			}
			// The first look, before waiting, may find a stop from before the
			// watch knew the process.
			p.g.t.term.stopped(p.g.t, p)
			return false
		}
		if c.Read(over) == nil {
			return
		}
	}
	p.waitBlocking()
}

// reap takes up news of the process and reports whether it has ended.
func (p *Process) reap() bool {
	g := p.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.reaped {
		return true
	}
	var st syscall.WaitStatus
	pid, err := syscall.Wait4(p.pid, &st, syscall.WNOHANG|syscall.WUNTRACED, &p.usage)
	switch {
	case err == syscall.ECHILD:
		// Someone else reaped it: nothing is known of how it ended.
	case err != nil || pid != p.pid:
		return false
	case st.Stopped():
		p.stopped = st.StopSignal()
		return false
	default:
		p.status = st
	}
	p.reaped = true
	g.remove(p)
	return true
}

// remove takes a reaped process out of the group; g.mu is held.
func (g *Group) remove(p *Process) {
	for i, q := range g.procs {
		if q == p {
			g.procs = append(g.procs[:i], g.procs[i+1:]...)
			break
		}
	}
	if !g.has(p.pgid) && syscall.Kill(-p.pgid, 0) == nil {
		// It left children behind. Their process group keeps its id as long
		// as one of them lives.
		switch {
		case g.closed && g.rank > 0:
			syscall.Kill(-p.pgid, syscall.SIGKILL)
		case g.closed:
			g.t.leaveBehind(p.pgid)
		case !slices.Contains(g.left, p.pgid):
			g.left = append(g.left, p.pgid)
		}
	}
	if len(g.procs) == 0 {
		g.t.leave(g)
		if g.idle != nil {
			close(g.idle)
			g.idle, g.grace = nil, 0
		}
	}
}
