//go:build unix

package proc

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
	"github.com/weftrun/weft/internal/termios"
)

// sigCont continues what is stopped.
const sigCont = syscall.SIGCONT

// stopped acts on the news that a program of g in that process group was stopped by s;
// seen is how many requests to continue something had been done by then.
func (m *terminal) stopped(t *Table, g *Group, pgid int, s syscall.Signal, seen uint32) {
	if m.file.Load() == nil {
		return
	}
	switch s {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		m.want(g, pgid)
	case syscall.SIGTSTP:
		m.suspend(t, g, pgid, seen)
	}
}

// suspend follows the Ctrl-Z that stopped the terminal's owner: the rest of the
// run stops, then weft itself; when it is continued, all go on.
func (m *terminal) suspend(t *Table, g *Group, pgid int, seen uint32) {
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Load() == nil || m.owner != g || m.pgid != pgid {
		return // not the terminal's: somebody sent it this signal, and may continue it
	}
	if int32(seen-m.resumed) < 0 {
		return // by a Ctrl-Z that was followed, for another program of a pipeline
	}
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGSTOP)
		}
	}
	t.beyond(syscall.SIGSTOP)
	t.settle()
	if !orphaned() {
		// The rest of the shell's job is told; weft, which is of it, only hears it.
		heard := make(chan os.Signal, 1)
		signal.Notify(heard, syscall.SIGTSTP)
		syscall.Kill(0, syscall.SIGTSTP)
		m.sleep(t)
		m.awake = time.Now()
		signal.Stop(heard)
	}
	t.beyond(syscall.SIGCONT)
	g.each(syscall.SIGCONT)
	m.resumed = t.host.continues()
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGCONT)
		}
	}
}

// obedience is how long programs may take to stop by themselves.
const obedience = 100 * time.Millisecond

// Suspend does what Ctrl-Z asks for where weft itself has the terminal's
// foreground: everything stops, of itself where it can, then weft, and time with
// them. It returns when weft was continued, and all go on. Where nobody could
// continue weft it does nothing, as the kernel would.
func (t *Table) Suspend() {
	if orphaned() {
		return
	}
	m := &t.term
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.awake) < obedience {
		return // our own signal to the job we are in
	}
	for _, g := range groups {
		if g != m.owner { // its stop would count as the user's
			g.each(syscall.SIGTSTP)
		}
	}
	if len(groups) > 0 {
		time.Sleep(obedience)
	}
	for _, g := range groups {
		g.each(syscall.SIGSTOP)
	}
	t.beyond(syscall.SIGSTOP)
	if len(groups) > 0 {
		t.settle()
	}
	m.sleep(t)
	t.beyond(syscall.SIGCONT)
	for _, g := range groups {
		g.each(syscall.SIGCONT)
	}
}

// beyond signals what programs have started in process groups or sessions of their
// own, and what earlier ones left.
func (t *Table) beyond(s syscall.Signal) {
	if t.begun.Load() {
		if h, err := t.connect(); err == nil {
			h.signal(keeper.Signal{Scope: keeper.BeyondScope, Signal: uint8(s)})
		}
	}
}

// settle returns when the signals that were sent have arrived: of a question that
// comes after them, only that there is an answer matters.
func (t *Table) settle() { t.host.members(0, "") }

// sleep gives the terminal back as weft found it and stops weft. When weft was
// continued the terminal is again whose it was. m.mu is held.
func (m *terminal) sleep(t *Table) {
	g, pgid := m.owner, m.pgid
	var mode *unix.Termios
	if g != nil {
		mode, _ = termios.Get(m.fd)
		m.set(m.own, m.saved)
		m.owner, m.pgid = nil, 0
	}
	t.clock.Pause()
	stopSelf(os.Getpid(), syscall.SIGSTOP)
	t.clock.Resume()
	if g != nil && m.foreground() && g.runs(pgid) {
		m.set(pgid, mode)
		m.owner, m.pgid = g, pgid
	}
}

// StopSelf stops weft as Ctrl-Z does while it has no programs, and returns when it
// was continued. Where nobody could continue it, it does nothing.
func StopSelf() {
	if !orphaned() {
		stopSelf(os.Getpid(), syscall.SIGSTOP)
	}
}

// stopSelf stops weft by sending s to target, and returns when it was continued.
// It reports false if the signal had no effect: nobody could continue weft, or it
// is ignored. Target is a process id, or 0 for weft's process group.
func stopSelf(target int, s syscall.Signal) bool {
	cont := make(chan os.Signal, 1)
	signal.Notify(cont, syscall.SIGCONT)
	defer signal.Stop(cont)
	syscall.Kill(target, s)
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

// orphaned reports whether nobody is there to continue weft once it has stopped:
// no process above it, in its session, has job control over its process group.
func orphaned() bool {
	session, _ := unix.Getsid(0)
	own := syscall.Getpgrp()
	for p := os.Getppid(); ; p = parentOf(p) {
		if p <= 0 {
			return p == 0
		}
		if s, err := unix.Getsid(p); err != nil || s != session {
			return true
		}
		if g, err := unix.Getpgid(p); err != nil || g != own {
			return err != nil
		}
	}
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

// Resized tells all groups that the terminal has another size: the kernel tells
// only who has the foreground, which is weft.
func (t *Table) Resized() { t.Signal(syscall.SIGWINCH) }

// Signal sends a signal to every group that runs.
func (t *Table) Signal(sig syscall.Signal) {
	for _, g := range t.groups() {
		g.each(sig)
	}
}

// HungUp reports whether there was a terminal that is gone.
func (t *Table) HungUp() bool {
	f := t.term.file.Load()
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil
}
