package proc

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopped acts on the news that p was stopped by s.
func (m *terminal) stopped(t *Table, p *Process, s syscall.Signal) {
	if m.file.Load() == nil {
		return
	}
	switch s {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		m.want(p.g, p.pgid)
	case syscall.SIGTSTP:
		m.suspend(t, p)
	}
}

// suspend follows the Ctrl-Z that stopped the terminal's owner: the rest of the
// run stops, then weft itself; when it is continued, all go on.
func (m *terminal) suspend(t *Table, p *Process) {
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	g := p.g
	if m.file.Load() == nil || m.owner != g || m.pgid != p.pgid {
		return // not the terminal's: somebody sent it this signal, and may continue it
	}
	mode, _ := unix.IoctlGetTermios(m.fd, getTermios)
	m.set(m.own, m.saved)
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGSTOP)
		}
	}
	m.owner, m.pgid = nil, 0
	m.stopSelf(syscall.SIGTSTP)
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGCONT)
		}
	}
	if m.foreground() && g.runs(p.pgid) {
		m.set(p.pgid, mode)
		m.owner, m.pgid = g, p.pgid
	}
	g.each(syscall.SIGCONT)
}

// stopSelf stops weft's own process group, as the kernel does, and returns when
// it was continued. It reports false if the signal had no effect: nobody could
// continue it (a session leader), or it is ignored.
func (m *terminal) stopSelf(s syscall.Signal) bool {
	cont := make(chan os.Signal, 1)
	signal.Notify(cont, syscall.SIGCONT)
	defer signal.Stop(cont)
	syscall.Kill(0, s)
	// The signal may reach another thread a little later. Time passes while
	// stopped, so a second look follows the first.
	for range 2 {
		select {
		case <-cont:
			return true
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// runs reports whether a process of g in that process group is still there.
func (g *Group) runs(pgid int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.has(pgid)
}

// resume continues a process group of g.
func (g *Group) resume(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has(pgid) {
		g.signalGroup(pgid, syscall.SIGCONT, false)
	}
}

// hangUp does to a stopped process group what the kernel does to an orphaned one.
func (g *Group) hangUp(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has(pgid) {
		g.signalGroup(pgid, syscall.SIGHUP, true)
	}
}

// tell notes that the Ctrl-C which killed p was seen by all that run beside it,
// and reports whether that is news.
func (g *Group) tell(p *Process) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.told || g.cause != nil {
		return false
	}
	for _, q := range g.procs {
		if q.pgid == p.pgid {
			q.told = true
		}
	}
	return true
}
