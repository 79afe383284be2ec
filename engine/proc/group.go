package proc

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// GroupOptions describe a Group.
type GroupOptions struct {
	// Name is that of the task.
	Name string
	// Cookie is what the group's processes are known by once their parents are
	// gone; the zero value leaves these out of what is killed.
	Cookie Cookie
	// Stop overrides how the group is told to end, kills excepted: its Signal
	// and its Grace, where they are not zero. A grace also bounds a stop that
	// would wait however long it takes.
	Stop Ladder
	// StopBy is called instead of sending the first signal, once, in a goroutine
	// of its own; after an error the signal is sent all the same. Close waits for
	// it. It may be nil.
	StopBy func() error
	// Passes are the signals that Table.Pass hands on to the group: what weft was
	// sent, and what the group gets. The map must not be changed.
	Passes map[syscall.Signal]syscall.Signal
	// Leftover is what becomes of processes that the group leaves behind.
	Leftover Policy
	// Terminal: the group's programs get the terminal's foreground while they
	// run, if weft's standard input is one.
	Terminal bool
}

// Group is the processes of one step. Making one is cheap: one allocation, no
// system call. It may be used concurrently.
type Group struct {
	t        *Table
	name     string
	cookie   Cookie
	stop     Ladder
	stopBy   func() error
	passes   map[syscall.Signal]syscall.Signal
	leftover Policy
	terminal bool

	refused atomic.Bool // cause is set; it changes once

	mu      sync.Mutex // guards the fields below
	id      uint32     // in requests; 0 until something is started
	index   int32      // place in Table.live
	rank    uint8      // how hard the group was stopped; 0: not
	closed  bool
	grace   time.Duration // until the kill that is under way; 0: none
	kill    time.Time     // when what is left of the stopped group may be killed
	cause   error         // why nothing starts any more
	done    chan struct{} // closed with cause; made on demand
	asking  chan struct{} // closed when stopBy has returned; nil: it was not called
	idle    chan struct{} // closed when a stopped group has no process left
	procs   []*Process    // not yet ended
	usage   Usage         // of those that have ended
	left    bool          // it has processes that were not started on request
	alone   bool          // nothing else was there when it started the first one
	cleanup *Group
}

// NewGroup returns a group without processes.
func (t *Table) NewGroup(o GroupOptions) *Group {
	return &Group{t: t, name: o.Name, cookie: o.Cookie, stop: o.Stop, stopBy: o.StopBy, passes: o.Passes, leftover: o.Leftover, terminal: o.Terminal}
}

// Name returns the name the group was made with.
func (g *Group) Name() string { return g.name }

// Usage returns what the group's programs took so far.
func (g *Group) Usage() Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.usage
}

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
	r := rank(l.Signal)
	l = g.ladder(l)
	if r > g.rank {
		g.rank = r
		g.tellToEnd(l.Signal)
	}
	if at := time.Now().Add(l.Grace); g.kill.IsZero() || at.Before(g.kill) {
		g.kill = at
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

// tellToEnd sends s to all of the group, or has that done otherwise; g.mu is held.
func (g *Group) tellToEnd(s syscall.Signal) {
	if g.stopBy == nil || s == syscall.SIGKILL || g.closed {
		g.signalAll(s)
		return
	}
	if g.asking != nil {
		return
	}
	g.asking = make(chan struct{})
	go func() {
		defer close(g.asking)
		if g.stopBy() != nil {
			g.mu.Lock()
			g.signalAll(s)
			g.mu.Unlock()
		}
	}()
}

// Grace returns how long the group may take to end if it is stopped by l; 0 means
// however long.
func (g *Group) Grace(l Ladder) time.Duration { return g.ladder(l).Grace }

// ladder is l as the group wants it.
func (g *Group) ladder(l Ladder) Ladder {
	if l.Signal == syscall.SIGKILL {
		return l
	}
	if g.stop.Signal != 0 {
		l.Signal = g.stop.Signal
	}
	if g.stop.Grace > 0 {
		l.Grace = g.stop.Grace
	}
	l.Main = g.stop.Main
	return l
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
		g.cleanup = &Group{t: g.t, name: g.name, cookie: g.cookie, terminal: g.terminal}
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

// Close says that the step is over and takes the terminal back. What the group
// left behind is treated by its policy; if the group was stopped, it returns
// when nothing is left of it. Else what goes on in the background may start
// further programs, and Wait still works for them. It returns what was stopped
// though the group was not.
func (g *Group) Close() []Leftover {
	g.mu.Lock()
	c := g.cleanup
	again := g.closed
	g.closed = true
	if asking := g.asking; asking != nil {
		g.mu.Unlock()
		<-asking
		g.mu.Lock()
	}
	stopped := g.rank > 0
	if g.left && !stopped {
		g.t.leaveBehind(g.id)
	}
	started := g.id != 0
	g.mu.Unlock()
	var left []Leftover
	if started {
		left = g.leave(stopped)
		if !again {
			g.t.open.Add(-1)
		}
		g.t.host.closed(g.id)
	}
	g.t.term.closed(g)
	if c != nil {
		c.mu.Lock()
		c.refuse(errCleanedUp)
		c.mu.Unlock()
		c.Close()
	}
	return left
}

// errCleanedUp is why nothing starts any more to clean up after a step.
var errCleanedUp = errors.New("the step was cleaned up")

// signalAll sends s, and SIGCONT so that stopped processes notice, to every
// process group of g; g.mu is held. One Ctrl-C is one SIGINT: a process group
// that the terminal's reached already is left out.
func (g *Group) signalAll(s syscall.Signal) {
	if g.id == 0 {
		return
	}
	r := keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s), Cont: s != syscall.SIGKILL}
	if s == syscall.SIGINT {
		for _, p := range g.procs {
			if p.pgid != 0 && g.allTold(p.pgid) {
				r.Skip = int32(p.pgid)
			}
		}
	}
	switch {
	case s == syscall.SIGKILL:
		r.Scope, r.Cookie = keeper.TreeScope, g.cookie.String()
	case g.stop.Main:
		r.Scope = keeper.ProcessScope
		for _, p := range g.procs {
			r.Target = p.id
			g.t.host.signal(r)
		}
		return
	}
	g.t.host.signal(r)
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
	if g.id != 0 {
		g.t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s)})
	}
}

// signalGroup sends s to one process group of g; g.mu is held.
func (g *Group) signalGroup(pgid int, s syscall.Signal, cont bool) {
	g.t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s), Only: int32(pgid), Cont: cont})
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
			g.t.host.signal(keeper.Signal{Scope: keeper.ProcessScope, Target: p.id, Signal: uint8(s)})
			found = true
		}
	}
	return found
}

// remove takes a process that has ended out of the group; g.mu is held. left
// tells that its process group still has others.
func (g *Group) remove(p *Process, left bool) {
	for i, q := range g.procs {
		if q == p {
			g.procs = append(g.procs[:i], g.procs[i+1:]...)
			break
		}
	}
	if left && !g.left {
		g.left = true
		if g.closed && g.rank == 0 {
			g.t.leaveBehind(g.id)
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
