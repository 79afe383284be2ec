package proc

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// GroupOptions describe a Group.
type GroupOptions struct {
	// Name is for messages.
	Name string
	// Terminal: the group's programs get the terminal's foreground while they
	// run, if weft's standard input is one.
	Terminal bool
}

// Group is the processes of one step. Making one is cheap: one allocation, no
// system call. It may be used concurrently.
type Group struct {
	t        *Table
	name     string
	terminal bool

	refused atomic.Bool // cause is set; it changes once

	mu      sync.Mutex // guards the fields below
	index   int32      // place in Table.live
	rank    uint8      // how hard the group was stopped; 0: not
	closed  bool
	grace   time.Duration // until the kill that is under way; 0: none
	cause   error         // why nothing starts any more
	done    chan struct{} // closed with cause; made on demand
	idle    chan struct{} // closed when a stopped group has no process left
	procs   []*Process    // not yet reaped
	left    []int         // process groups with members we did not start
	cleanup *Group
}

// NewGroup returns a group without processes.
func (t *Table) NewGroup(o GroupOptions) *Group {
	return &Group{t: t, name: o.Name, terminal: o.Terminal}
}

// Name returns the name the group was made with.
func (g *Group) Name() string { return g.name }

// Refused returns why the group starts no process any more, or nil.
func (g *Group) Refused() error {
	if !g.refused.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// Done returns a channel that is closed once Refused is not nil.
func (g *Group) Done() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done == nil {
		g.done = make(chan struct{})
		if g.cause != nil {
			close(g.done)
		}
	}
	return g.done
}

// refuse makes the group start nothing more; g.mu is held.
func (g *Group) refuse(cause error) {
	if g.cause != nil {
		return
	}
	g.cause = cause
	g.refused.Store(true)
	if g.done != nil {
		close(g.done)
	}
}

// ErrInterrupt is why a group starts nothing more whose program died of the
// terminal's Ctrl-C.
var ErrInterrupt = errors.New("interrupted at the terminal")

// Stop makes the group refuse to start anything from now on, with cause, and
// sends l.Signal to all its processes; after l.Grace, if not zero, what still
// runs is killed. Called again it may raise the force or shorten the grace, and
// never softens; the first cause stays.
func (g *Group) Stop(cause error, l Ladder) {
	if l.Signal == 0 {
		l.Signal = syscall.SIGTERM
	}
	g.mu.Lock()
	g.refuse(cause)
	if r := rank(l.Signal); r > g.rank {
		g.rank = r
		g.signalAll(l.Signal)
	}
	if l.Grace > 0 && len(g.procs) > 0 && (g.grace == 0 || l.Grace < g.grace) {
		g.grace = l.Grace
		if g.idle == nil {
			g.idle = make(chan struct{})
		}
		go g.killAfter(l.Grace, g.idle)
	}
	g.mu.Unlock()
	// From here on a Ctrl-C is weft's: it is how the user says "harder". A
	// program that still wants the terminal asks for it by reading.
	g.t.term.reclaim(g)
}

// killAfter kills what runs when the grace is over.
func (g *Group) killAfter(d time.Duration, idle <-chan struct{}) {
	select {
	case <-idle:
	case <-g.t.after(d):
		g.mu.Lock()
		g.rank = rank(syscall.SIGKILL)
		g.signalAll(syscall.SIGKILL)
		g.mu.Unlock()
	}
}

// Kill is Stop without mercy. It also kills the group's cleanup, if that has
// begun; one that begins later may still run.
func (g *Group) Kill(cause error) {
	g.mu.Lock()
	c := g.cleanup
	g.mu.Unlock()
	g.Stop(cause, Ladder{Signal: syscall.SIGKILL})
	if c != nil {
		c.Kill(cause)
	}
}

// Cleanup returns the group for what still has to run after g was stopped: it
// does not share g's refusal, but g's Kill and Close reach it.
func (g *Group) Cleanup() *Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cleanup == nil {
		g.cleanup = &Group{t: g.t, name: g.name, terminal: g.terminal}
		if g.closed {
			g.cleanup.closed = true
			g.cleanup.refuse(g.cause)
		}
	}
	return g.cleanup
}

// Killed reports whether the group's processes were killed.
func (g *Group) Killed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rank >= rank(syscall.SIGKILL)
}

// Close says that the step is over and takes the terminal back. If the group was
// stopped, what is left of it is killed; else what it left in the background
// goes on, may start further programs, and Wait still works for them.
func (g *Group) Close() {
	g.mu.Lock()
	c := g.cleanup
	g.closed = true
	if g.rank > 0 && len(g.procs)+len(g.left) > 0 {
		g.rank = rank(syscall.SIGKILL)
		g.signalAll(syscall.SIGKILL)
	} else if len(g.left) > 0 {
		g.t.leaveBehind(g.left...)
	}
	g.left = nil
	g.mu.Unlock()
	g.t.term.closed(g)
	if c != nil {
		c.mu.Lock()
		c.refuse(errCleanedUp)
		c.mu.Unlock()
		c.Close()
	}
}

// errCleanedUp is why nothing starts any more to clean up after a step.
var errCleanedUp = errors.New("the step was cleaned up")

// signalAll sends s, and SIGCONT so that stopped processes notice, to every
// process group of g; g.mu is held.
func (g *Group) signalAll(s syscall.Signal) {
	for i, p := range g.procs {
		if g.firstOf(i) && !(s == syscall.SIGINT && g.allTold(p.pgid)) {
			signalGroup(p.pgid, s)
		}
	}
	for _, pgid := range g.left {
		signalGroup(pgid, s)
	}
}

// firstOf reports whether g.procs[i] is the first of its process group.
func (g *Group) firstOf(i int) bool {
	for _, p := range g.procs[:i] {
		if p.pgid == g.procs[i].pgid {
			return false
		}
	}
	return true
}

// allTold reports whether the terminal's Ctrl-C reached all of a process group
// already: one Ctrl-C is one SIGINT.
func (g *Group) allTold(pgid int) bool {
	for _, p := range g.procs {
		if p.pgid == pgid && !p.told {
			return false
		}
	}
	return true
}

// has reports whether a process of g that was not reaped is in the process
// group; g.mu is held.
func (g *Group) has(pgid int) bool {
	for _, p := range g.procs {
		if p.pgid == pgid {
			return true
		}
	}
	return false
}

// each sends s to every process group of g, without refusing anything.
func (g *Group) each(s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, p := range g.procs {
		if g.firstOf(i) {
			syscall.Kill(-p.pgid, s)
		}
	}
	for _, pgid := range g.left {
		syscall.Kill(-pgid, s)
	}
}

// Signal sends s to the processes that were started with a Job that is job or
// lies below it, and reports whether there was one.
func (g *Group) Signal(job string, s syscall.Signal) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := false
	for _, p := range g.procs {
		if p.job == job || len(p.job) > len(job) && p.job[:len(job)] == job && p.job[len(job)] == '/' {
			// One process, not its group, which the rest of the step shares.
			found = syscall.Kill(p.pid, s) == nil || found
		}
	}
	return found
}

// signalGroup sends s to a process group. The errors possible here (gone, or
// changed its user) leave nothing to do.
func signalGroup(pgid int, s syscall.Signal) {
	syscall.Kill(-pgid, s)
	if s != syscall.SIGKILL {
		syscall.Kill(-pgid, syscall.SIGCONT)
	}
}
