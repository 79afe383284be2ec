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

// terminal is the controlling terminal and who has its foreground. Lock order:
// terminal.mu, Group.mu, Table.mu.
//
//	             lend (start of a Terminal group, or a stopped reader)
//	weft's own ──────────────────────────────────────────────────────▶ lent
//	    ▲   the last program ended, Stop, Close, Ctrl-Z                  │
//	    └────────────────────────────────────────────────────────────────┘
//	                         then the next of queue
//
// A program outside the foreground that reads the terminal is stopped by the
// kernel. It is lent the terminal if that is free, else it waits in queue: it
// never hangs silently.
type terminal struct {
	stdin       bool            // weft's standard input is a terminal
	interrupted func(died bool) // the user pressed Ctrl-C and only the owner was told

	once sync.Once
	file atomic.Pointer[os.File] // nil: no controlling terminal
	fd   int
	own  int // weft's process group

	mu      sync.Mutex // guards the fields below
	owner   *Group     // who the foreground is lent to; nil: nobody
	pgid    int        // its process group; own: weft reads for it
	saved   *unix.Termios
	savedBy *Group // saved is from before this group had it
	queue   []waiter
	awake   time.Time // when a stop of weft's own making ended
	resumed uint32    // host.continues when the last Ctrl-Z was over
}

// waiter wants the terminal.
type waiter struct {
	g     *Group
	pgid  int
	ready chan struct{} // closed when it is the waiter's; nil: continue pgid
}

// open finds the controlling terminal, once, and watches for stops if there is one.
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

// foreground reports whether the terminal is weft's to lend; as a background
// job it is not.
func (m *terminal) foreground() bool {
	fg, err := unix.IoctlGetInt(m.fd, unix.TIOCGPGRP)
	return err == nil && (fg == m.own || m.owner != nil && fg == m.pgid)
}

// set moves the foreground, and the terminal's settings if mode is not nil. A
// process outside the foreground that does so is stopped, unless it blocks the
// signal.
func (m *terminal) set(pgid int, mode *unix.Termios) {
	withoutTTOU(func() {
		unix.IoctlSetPointerInt(m.fd, unix.TIOCSPGRP, pgid)
		if mode != nil {
			termios.SetDrained(m.fd, mode)
		}
	})
}

// may reports whether the foreground can be lent to g now; m.mu is held.
func (m *terminal) may(g *Group) bool {
	return (m.owner == nil || m.owner == g && m.pgid != m.own) && m.foreground()
}

// remember notes what the terminal was like before g had it; m.mu is held.
func (m *terminal) remember(g *Group) {
	if m.savedBy != g {
		m.saved, _ = termios.Get(m.fd)
		m.savedBy = g
	}
}

// lend gives the foreground to a process group of g and reports whether it is
// there now; m.mu is held.
func (m *terminal) lend(g *Group, pgid int) bool {
	if !m.may(g) {
		return false
	}
	if m.owner != g || m.pgid != pgid {
		m.remember(g)
		m.set(pgid, nil)
		m.owner, m.pgid = g, pgid
	}
	return true
}

// takeBack makes the foreground weft's again; m.mu is held.
func (m *terminal) takeBack(restore bool) {
	m.owner, m.pgid = nil, 0
	if restore {
		m.set(m.own, m.saved)
	} else {
		m.set(m.own, nil)
	}
}

// want lends the terminal to a process group that was stopped because it needs
// it, now or when it is free.
func (m *terminal) want(g *Group, pgid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Load() == nil {
		return
	}
	for m.owner == nil && !m.foreground() {
		// weft is a background job and shares the fate of one that reads: it is
		// stopped until the user brings it to the foreground. Where nobody
		// could do that, the kernel would hang up.
		if !stopSelf(0, syscall.SIGTTIN) {
			g.hangUp(pgid)
			return
		}
	}
	if m.lend(g, pgid) {
		g.resume(pgid)
	} else if !slices.ContainsFunc(m.queue, func(w waiter) bool { return w.g == g && w.pgid == pgid }) {
		m.queue = append(m.queue, waiter{g: g, pgid: pgid})
	}
}

// next gives the free terminal to who has waited longest; m.mu is held.
func (m *terminal) next() {
	for m.owner == nil && len(m.queue) > 0 {
		w := m.queue[0]
		m.queue = m.queue[1:]
		switch {
		case w.ready != nil:
			m.owner, m.pgid = w.g, m.own
			close(w.ready)
		case w.g.runs(w.pgid) && m.lend(w.g, w.pgid):
			w.g.resume(w.pgid)
		}
	}
}

// ended takes note of the end of p.
func (m *terminal) ended(p *Process, s Status) {
	if m.file.Load() == nil {
		return
	}
	m.mu.Lock()
	tell := false
	if m.owner == p.g && m.pgid == p.pgid {
		if (s.Signal == syscall.SIGINT || s.Code == 128+int(syscall.SIGINT)) && !signal.Ignored(syscall.SIGINT) {
			tell = p.g.tell(p)
		}
		if !p.g.runs(p.pgid) {
			// A program that ended by itself may have meant its changes to
			// the settings (stty), for the rest of its step.
			m.takeBack(s.Signal != 0 || !p.g.terminal)
		}
	}
	m.next()
	m.mu.Unlock()
	if tell && m.interrupted != nil {
		// Before Wait returns: nothing more of its step may start.
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

// closed forgets a group that is over and undoes its changes to the terminal.
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
	m.next()
}

// Read makes weft itself the reader of the terminal, for g: programs of g that
// run beside lose the foreground, and it waits for other owners. The returned
// function ends it. If the group is stopped while waiting, it returns its cause.
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
		if n == len(m.queue) { // it was given just now
			m.owner, m.pgid = nil, 0
			m.next()
		}
		return nil, g.Refused()
	}
	m.mu.Unlock()
	return g.release, nil
}

// release ends weft's own reading for g.
func (g *Group) release() {
	m := &g.t.term
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owner == g && m.pgid == m.own {
		m.owner, m.pgid = nil, 0
		m.next()
	}
}
