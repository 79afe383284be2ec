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

// sigCont continues stopped processes.
const sigCont = syscall.SIGCONT

// stopped handles the report that s has stopped a program of g in the process group pgid.
// seen is how many signals had continued programs when that happened.
func (m *terminal) stopped(t *Table, g *Group, pgid int, s syscall.Signal, seen uint32) {
	if m.file.Load() == nil {
		return
	}
	switch s {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		m.lendOrQueue(g, pgid)
	case syscall.SIGTSTP:
		m.suspend(t, g, pgid, seen)
	}
}

// suspend handles the Ctrl-Z that stopped the terminal's owner: it stops all other groups
// and then weft. When weft is continued, it continues all groups.
func (m *terminal) suspend(t *Table, g *Group, pgid int, seen uint32) {
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Load() == nil || m.owner != g || m.pgid != pgid {
		return // another process sent the signal, and may continue the program
	}
	if int32(seen-m.resumed) < 0 {
		return // this Ctrl-Z was already handled, for another program of a pipeline
	}
	for _, other := range groups {
		if other != g {
			other.deliver(syscall.SIGSTOP)
		}
	}
	t.signalOutside(syscall.SIGSTOP)
	t.awaitSignals()
	if !orphaned() {
		// This stops the other processes of the shell's job, but not weft.
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, syscall.SIGTSTP)
		syscall.Kill(0, syscall.SIGTSTP)
		m.sleep(t)
		m.resumedAt = time.Now()
		signal.Stop(caught)
	}
	t.signalOutside(syscall.SIGCONT)
	g.deliver(syscall.SIGCONT)
	m.resumed = t.host.continues()
	for _, other := range groups {
		if other != g {
			other.deliver(syscall.SIGCONT)
		}
	}
}

// stopDelay is how long programs have to handle SIGTSTP before SIGSTOP stops them.
const stopDelay = 100 * time.Millisecond

// Suspend handles Ctrl-Z when weft itself has the terminal's foreground: it stops all groups, then
// its clock and weft. It returns when weft is continued, and all groups with it. If no process
// could continue weft, Suspend does nothing, as the kernel would.
func (t *Table) Suspend() {
	t.SuspendWith(func() { t.term.sleep(t) })
}

// SuspendWith is Suspend with a function that stops weft, and returns when it was continued.
func (t *Table) SuspendWith(stop func()) {
	if orphaned() {
		return
	}
	m := &t.term
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.resumedAt) < stopDelay {
		return // our own signal to the shell's job
	}
	for _, g := range groups {
		if g != m.owner { // its stop would be mistaken for the user's
			g.deliver(syscall.SIGTSTP)
		}
	}
	if len(groups) > 0 {
		time.Sleep(stopDelay)
	}
	for _, g := range groups {
		g.deliver(syscall.SIGSTOP)
	}
	t.signalOutside(syscall.SIGSTOP)
	if len(groups) > 0 {
		t.awaitSignals()
	}
	stop()
	t.signalOutside(syscall.SIGCONT)
	for _, g := range groups {
		g.deliver(syscall.SIGCONT)
	}
}

// signalOutside signals the processes outside of the groups' process groups: what programs
// have started in process groups or sessions of its own, and leftovers.
func (t *Table) signalOutside(s syscall.Signal) {
	if t.begun.Load() {
		if h, err := t.connect(); err == nil {
			h.signal(keeper.Signal{Scope: keeper.OutsideScope, Signal: uint8(s)})
		}
	}
}

// awaitSignals returns when the sent signals have arrived: requests are handled in order, so it
// sends a query and ignores the answer.
func (t *Table) awaitSignals() { t.host.members(0, "") }

// sleep restores the terminal's settings and stops weft. When weft is continued, the
// terminal is lent again to the group that had it. The caller holds m.mu.
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
	if g != nil && m.foreground() && (pgid == m.own || g.contains(pgid)) {
		m.set(pgid, mode)
		m.owner, m.pgid = g, pgid
	}
}

// StopSelf stops weft as Ctrl-Z does, for a weft without programs. It returns when weft is
// continued. If no process could do that, it does nothing.
func StopSelf() {
	if !orphaned() {
		stopSelf(os.Getpid(), syscall.SIGSTOP)
	}
}

// stopSelf sends s to target, which stops weft, and returns true when weft was continued. It
// returns false if the signal had no effect: it is ignored, or no process could continue weft. The
// target is a process id, or 0 for weft's process group.
func stopSelf(target int, s syscall.Signal) bool {
	cont := make(chan os.Signal, 1)
	signal.Notify(cont, syscall.SIGCONT)
	defer signal.Stop(cont)
	syscall.Kill(target, s)
	// The signal may reach another thread a little later. The first timer may have run out
	// while weft was stopped, so there is a second one.
	for range 2 {
		select {
		case <-cont:
			return true
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// orphaned reports whether no process could continue weft when it is stopped: no ancestor in its
// session has job control over its process group.
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

// contains is like has, but locks g.mu.
func (g *Group) contains(pgid int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.has(pgid)
}

// signalStopped sends s to a stopped process group of g, and SIGCONT, so that it reacts.
func (g *Group) signalStopped(pgid int, s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has(pgid) {
		g.t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s), Only: int32(pgid), Cont: s != syscall.SIGCONT})
	}
}

// noteInterrupt records that the Ctrl-C which killed p was sent to all of its process group.
// It reports whether that was unknown.
func (g *Group) noteInterrupt(p *Process) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.interrupted || g.cause != nil {
		return false
	}
	for _, q := range g.procs {
		if q.pgid == p.pgid {
			q.interrupted = true
		}
	}
	return true
}

// Signal sends sig to all groups.
func (t *Table) Signal(sig syscall.Signal) {
	for _, g := range t.groups() {
		g.deliver(sig)
	}
}

// HungUp reports whether the terminal has gone away.
func (t *Table) HungUp() bool { return HungUp(t.term.file.Load()) }

// HungUp reports whether a terminal has gone away; one that is nil has not.
func HungUp(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil
}
