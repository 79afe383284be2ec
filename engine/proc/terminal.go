//go:build unix

package proc

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/termios"
)

// terminal is the controlling terminal, and records who has its foreground. Lock order:
// terminal.mu, Group.mu, Table.mu.
//
//	             lend (start of a Terminal group, or a stopped reader)
//	weft's own ──────────────────────────────────────────────────────▶ lent
//	    ▲   the last program ended, Stop, Close, Ctrl-Z                  │
//	    └────────────────────────────────────────────────────────────────┘
//	                         then the next in queue
//
// The kernel stops a program outside the foreground that reads the terminal. Such a program
// is lent the terminal if that is free, and waits in queue otherwise: it never hangs
// silently.
type terminal struct {
	stdin       bool                  // weft's standard input is a terminal
	interrupted func(died bool)       // called when Ctrl-C was sent only to the owner
	lending     func(step int)        // called before lend gives a group the foreground; may be nil
	using       func(step int) func() // called before the terminal has an owner; may be nil

	once sync.Once
	file atomic.Pointer[os.File] // nil if there is no controlling terminal
	fd   int
	own  int // weft's process group

	mu        sync.Mutex // guards the fields below
	owner     *Group     // the group that the foreground is lent to, or nil
	pgid      int        // its process group; own if weft reads for it
	unused    func()     // what using has returned; nil: there is no owner since, or no using
	saved     *unix.Termios
	savedBy   *Group // the group that has the terminal since saved was read
	queue     []waiter
	resumedAt time.Time // when weft was continued after it had stopped itself
	resumed   uint32    // host.continues after the last Ctrl-Z
}

// waiter is a process group that waits for the terminal.
type waiter struct {
	g     *Group
	pgid  int
	ready chan struct{} // closed when the waiter has the terminal; nil if pgid must be continued
}

// open opens the controlling terminal, if there is one. Only the first call does something.
func (m *terminal) open(t *Table) {
	m.once.Do(func() {
		prepare()
		f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			return
		}
		m.fd, m.own = int(f.Fd()), syscall.Getpgrp()
		m.file.Store(f)
	})
}

func (m *terminal) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.file.Swap(nil); f != nil {
		f.Close()
	}
}

// foreground reports whether weft may lend the terminal: not if it is a background job.
func (m *terminal) foreground() bool {
	fg, err := unix.IoctlGetInt(m.fd, unix.TIOCGPGRP)
	return err == nil && (fg == m.own || m.owner != nil && fg == m.pgid)
}

// set sets the foreground process group, and the terminal's settings if mode is not nil.
// The kernel stops a process outside the foreground that does so, unless it blocks SIGTTOU.
func (m *terminal) set(pgid int, mode *unix.Termios) {
	withoutTTOU(func() {
		unix.IoctlSetPointerInt(m.fd, unix.TIOCSPGRP, pgid)
		if mode != nil {
			termios.SetDrained(m.fd, mode)
		}
	})
}

// canLend reports whether the foreground can be lent to g now. The caller holds m.mu.
func (m *terminal) canLend(g *Group) bool {
	return (m.owner == nil || m.owner == g && m.pgid != m.own) && m.foreground()
}

// remember saves the terminal's settings before g has it. The caller holds m.mu.
func (m *terminal) remember(g *Group) {
	if m.savedBy != g {
		m.saved, _ = termios.Get(m.fd)
		m.savedBy = g
	}
}

// use records that g will be the owner. The caller holds m.mu.
func (m *terminal) use(g *Group) {
	if m.using != nil && m.unused == nil {
		m.unused = m.using(g.o.Cookie.Step)
	}
}

// leave records that there is no owner any more, if that is so. The caller holds m.mu.
func (m *terminal) leave() {
	if m.owner == nil && m.unused != nil {
		m.unused()
		m.unused = nil
	}
}

// lend gives the foreground to a process group of g and reports whether it has it now. The
// caller holds m.mu.
func (m *terminal) lend(g *Group, pgid int) bool {
	if !m.canLend(g) {
		return false
	}
	if m.owner != g || m.pgid != pgid {
		m.use(g)
		m.remember(g)
		if m.lending != nil {
			m.lending(g.o.Cookie.Step)
		}
		m.set(pgid, nil)
		m.owner, m.pgid = g, pgid
	}
	return true
}

// takeBack returns the foreground to weft, and restores the saved settings if restore is
// set. The caller holds m.mu.
func (m *terminal) takeBack(restore bool) {
	m.owner, m.pgid = nil, 0
	if restore {
		m.set(m.own, m.saved)
	} else {
		m.set(m.own, nil)
	}
}

// lendOrQueue lends the terminal to a process group that was stopped because it needs it:
// now, or when the terminal is free.
func (m *terminal) lendOrQueue(g *Group, pgid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Load() == nil {
		return
	}
	for m.owner == nil && !m.foreground() {
		// As a background job that reads, weft is stopped until the user brings it to
		// the foreground. If no process can do that, the kernel would send SIGHUP.
		if !stopSelf(0, syscall.SIGTTIN) {
			g.signalStopped(pgid, syscall.SIGHUP)
			return
		}
	}
	if m.lend(g, pgid) {
		g.signalStopped(pgid, syscall.SIGCONT)
	} else if !slices.ContainsFunc(m.queue, func(w waiter) bool { return w.g == g && w.pgid == pgid }) {
		m.queue = append(m.queue, waiter{g: g, pgid: pgid})
	}
}

// lendNext lends the free terminal to the first in queue. The caller holds m.mu.
func (m *terminal) lendNext() {
	for m.owner == nil && len(m.queue) > 0 {
		w := m.queue[0]
		m.queue = m.queue[1:]
		switch {
		case w.ready != nil:
			m.use(w.g)
			m.owner, m.pgid = w.g, m.own
			close(w.ready)
		case w.g.contains(w.pgid) && m.lend(w.g, w.pgid):
			w.g.signalStopped(w.pgid, syscall.SIGCONT)
		}
	}
}

// ended handles the end of p.
func (m *terminal) ended(p *Process, s Status) {
	if m.file.Load() == nil {
		return
	}
	m.mu.Lock()
	interrupted := false
	if m.owner == p.g && m.pgid == p.pgid {
		if (s.Signal == syscall.SIGINT || s.Code == 128+int(syscall.SIGINT)) && !signal.Ignored(syscall.SIGINT) {
			interrupted = p.g.noteInterrupt(p)
		}
		if !p.g.contains(p.pgid) {
			// A program that exits may mean its changes to the settings, as stty
			// does, for the rest of the step.
			m.takeBack(s.Signal != 0 || !p.g.o.Terminal)
		}
	}
	m.lendNext()
	m.leave()
	m.mu.Unlock()
	if interrupted && m.interrupted != nil {
		// Before Wait returns, so that the step starts nothing more.
		p.g.Stop(ErrInterrupt, Ladder{Signal: syscall.SIGINT})
		m.interrupted(s.Signal == syscall.SIGINT)
	}
}

// reclaim takes the foreground back from a group that is being stopped.
func (m *terminal) reclaim(g *Group) {
	if m.file.Load() == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owner == g && m.pgid != m.own {
		m.takeBack(false)
	}
}

// closed removes a closed group and undoes its changes to the terminal.
func (m *terminal) closed(g *Group) {
	if m.file.Load() == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(w waiter) bool { return w.g == g && w.ready == nil })
	if m.savedBy == g {
		if m.owner == nil || m.owner == g {
			m.takeBack(true)
		}
		m.saved, m.savedBy = nil, nil
	}
	m.lendNext()
	m.leave()
}

// Read lets weft itself read the terminal for g: it takes the foreground from programs of
// g, and waits for other groups. The returned function ends that. If g is stopped while it
// waits, Read returns the cause.
func (g *Group) Read() (release func(), err error) {
	m := &g.t.term
	m.open(g.t)
	if m.file.Load() == nil {
		return func() {}, nil
	}
	m.mu.Lock()
	switch m.owner {
	case g:
		m.takeBack(false)
		m.owner, m.pgid = g, m.own
	case nil:
		m.use(g)
		m.owner, m.pgid = g, m.own
	default:
		ready := make(chan struct{})
		m.queue = append(m.queue, waiter{g: g, ready: ready})
		m.mu.Unlock()
		select {
		case <-ready:
			return g.release, nil
		case <-g.Done():
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		n := len(m.queue)
		m.queue = slices.DeleteFunc(m.queue, func(w waiter) bool { return w.ready == ready })
		if n == len(m.queue) { // it was lent just now
			m.owner, m.pgid = nil, 0
			m.lendNext()
			m.leave()
		}
		return nil, g.Err()
	}
	m.mu.Unlock()
	return g.release, nil
}

// release ends what Read has begun.
func (g *Group) release() {
	m := &g.t.term
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owner == g && m.pgid == m.own {
		m.owner, m.pgid = nil, 0
		m.lendNext()
		m.leave()
	}
}
