package proc

import (
	"cmp"
	"errors"
	"slices"
	"strings"
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
	// Cookie identifies the group's processes after their parents have ended. With
	// the zero value such processes are not killed.
	Cookie Cookie
	// Stop overrides the ladder of every stop but a kill: its Signal and its Grace,
	// where they are not zero. A Grace also limits a stop that would wait forever.
	Stop Ladder
	// StopFunc is called once, in its own goroutine, instead of sending the first
	// signal. If it fails, the signal is sent after all. Close waits for it. It may
	// be nil.
	StopFunc func() error
	// Forwards maps a signal that Table.Forward is called with to the signal that
	// the group is sent. The map must not be changed.
	Forwards map[syscall.Signal]syscall.Signal
	// Leftover is the treatment of processes that the group leaves behind.
	Leftover LeftoverPolicy
	// Terminal gives the group's programs the terminal's foreground while they run,
	// if weft's standard input is a terminal.
	Terminal bool
}

// Group holds the processes of one step. A new Group costs one allocation and no system call. It is
// safe for concurrent use.
type Group struct {
	t *Table
	o GroupOptions

	refusal atomic.Bool // reports whether cause is set

	mu           sync.Mutex // guards the fields below
	id           uint32     // the group's number in requests; 0 until it has started a program
	index        int32      // place in Table.live
	rank         uint8      // of the hardest signal so far; 0 if the group was not stopped
	closed       bool
	hasLeftovers bool          // there are processes that weft did not start itself
	alone        bool          // no other process existed when the group started its first
	cause        error         // why the group starts nothing more
	done         chan struct{} // closed when cause is set; made on demand
	stop         *stop         // nil if the group was not stopped
	procs        []*Process    // programs that have not ended
	usage        Usage         // of programs that have ended
	programs     int           // that have ended
	cleanup      *Group
}

// stop is what only groups that were stopped have.
type stop struct {
	grace    time.Duration // of the pending kill; 0 if there is none
	kill     time.Time     // when leftovers may be killed
	funcDone chan struct{} // closed when StopFunc has returned; nil if it was not called
	idle     chan struct{} // closed when the group has no program left; nil if nothing waits for that
}

// NewGroup returns a Group without processes.
//
//go:noinline
func (t *Table) NewGroup(o GroupOptions) *Group { return &Group{t: t, o: o} }

// Name returns the name in the group's options.
func (g *Group) Name() string { return g.o.Name }

// Usage returns how many of the group's programs have ended, and the resources that they have
// used.
func (g *Group) Usage() (programs int, u Usage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.programs, g.usage
}

// Err returns why the group starts no more programs, or nil if it does.
func (g *Group) Err() error {
	if !g.refusal.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// Done returns a channel that is closed once Err is not nil.
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

// refuse makes the group start no more programs. The caller holds g.mu.
func (g *Group) refuse(cause error) {
	if g.cause != nil {
		return
	}
	g.cause = cause
	g.refusal.Store(true)
	if g.done != nil {
		close(g.done)
	}
}

// ErrInterrupt is the cause of a group that starts no more programs because the
// terminal's Ctrl-C killed one of them.
var ErrInterrupt = errors.New("interrupted at the terminal")

// Stop makes the group refuse to start anything more, with cause as the reason, and
// sends l.Signal to all its processes. If l.Grace is not zero, it kills those that still
// run after that time. Further calls may use a stronger signal or a shorter grace; a
// weaker signal is ignored. The first cause is kept.
func (g *Group) Stop(cause error, l Ladder) {
	l.Signal = cmp.Or(l.Signal, syscall.SIGTERM)
	g.mu.Lock()
	g.refuse(cause)
	if g.stop == nil {
		g.stop = &stop{}
	}
	r := rank(l.Signal)
	l = g.ladder(l)
	if l.Signal != syscall.SIGKILL {
		l.Grace = g.LimitTimeout(l.Grace)
	}
	if r > g.rank {
		g.rank = r
		g.requestEnd(l.Signal)
	}
	st := g.stop
	if at := time.Now().Add(l.Grace); st.kill.IsZero() || at.Before(st.kill) {
		st.kill = at
	}
	if l.Grace > 0 && len(g.procs) > 0 && (st.grace == 0 || l.Grace < st.grace) {
		st.grace = l.Grace
		if st.idle == nil {
			st.idle = make(chan struct{})
		}
		go g.killAfter(l.Grace, st.idle)
	}
	if l.TermAfter > 0 {
		g.t.clock.AfterFunc(l.TermAfter, func() { g.Stop(cause, Ladder{Signal: syscall.SIGTERM, Grace: l.Grace}) })
	}
	g.mu.Unlock()
	// From now on a Ctrl-C goes to weft: with it the user asks for a stronger stop.
	// A program that still needs the terminal gets it when it reads.
	g.t.term.reclaim(g)
}

// requestEnd calls StopFunc, or sends s to the whole group. The caller holds g.mu.
func (g *Group) requestEnd(s syscall.Signal) {
	if g.o.StopFunc == nil || s == syscall.SIGKILL || g.closed {
		g.signalAll(s)
		return
	}
	if g.stop.funcDone != nil {
		return
	}
	done := make(chan struct{})
	g.stop.funcDone = done
	go func() {
		defer close(done)
		if g.o.StopFunc() != nil {
			g.mu.Lock()
			g.signalAll(s)
			g.mu.Unlock()
		}
	}()
}

// Grace returns how long the group may take to end when it is stopped by l; 0 means that
// there is no limit.
func (g *Group) Grace(l Ladder) time.Duration { return g.ladder(l).Grace }

// ladder returns l with what the group's own ladder overrides.
func (g *Group) ladder(l Ladder) Ladder {
	if l.Signal == syscall.SIGKILL {
		return l
	}
	if g.o.Stop.Signal != 0 {
		l.Signal = g.o.Stop.Signal
	}
	if g.o.Stop.Grace > 0 {
		l.Grace = g.o.Stop.Grace
	}
	l.Main = g.o.Stop.Main
	return l
}

// killAfter kills the group after d, unless idle is closed before.
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

// Kill stops the group with SIGKILL. It also kills the group's cleanup, if that has
// begun. A cleanup that begins later may still run.
func (g *Group) Kill(cause error) {
	g.mu.Lock()
	c := g.cleanup
	g.mu.Unlock()
	g.Stop(cause, Ladder{Signal: syscall.SIGKILL})
	if c != nil {
		c.Kill(cause)
	}
}

// Cleanup returns the group for what must run after g was stopped. It may still start
// programs when g refuses to, but Kill and Close of g apply to it as well.
func (g *Group) Cleanup() *Group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cleanup == nil {
		g.cleanup = g.t.NewGroup(GroupOptions{Name: g.o.Name, Cookie: g.o.Cookie, Terminal: g.o.Terminal})
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

// Close ends the step: it takes the terminal back and applies the group's policy to
// processes that were left behind. If the group was stopped, Close returns when none of
// its processes is left. Otherwise background processes may still start programs, and Wait
// works for them. Close returns the leftovers that it stopped although the group was not.
func (g *Group) Close() []Leftover {
	g.mu.Lock()
	c := g.cleanup
	wasClosed := g.closed
	g.closed = true
	if st := g.stop; st != nil && st.funcDone != nil {
		g.mu.Unlock()
		<-st.funcDone
		g.mu.Lock()
	}
	stopped := g.rank > 0
	if g.hasLeftovers && !stopped {
		g.t.noteLeftovers(g.id)
	}
	started := g.id != 0
	g.mu.Unlock()
	var leftovers []Leftover
	if started {
		leftovers = g.treatLeftovers(stopped)
		if !wasClosed {
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
	return leftovers
}

// errCleanedUp is the cause of a cleanup group that starts no more programs.
var errCleanedUp = errors.New("the step was cleaned up")

// signalAll sends s to every process group of g, and SIGCONT so that stopped processes
// react. The caller holds g.mu. A process group that already got the terminal's SIGINT is
// skipped: one Ctrl-C is one SIGINT.
func (g *Group) signalAll(s syscall.Signal) {
	if g.id == 0 {
		return
	}
	r := keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s), Cont: s != syscall.SIGKILL}
	if s == syscall.SIGINT {
		for _, p := range g.procs {
			if p.pgid != 0 && g.allInterrupted(p.pgid) {
				r.Skip = int32(p.pgid)
			}
		}
	}
	switch {
	case s == syscall.SIGKILL:
		r.Scope, r.Cookie = keeper.TreeScope, g.o.Cookie.String()
	case g.o.Stop.Main:
		for _, p := range g.procs {
			p.signal(s, r.Cont)
		}
		return
	}
	g.t.host.signal(r)
}

// allInterrupted reports whether the terminal has sent SIGINT to all programs of a process
// group.
func (g *Group) allInterrupted(pgid int) bool {
	return !slices.ContainsFunc(g.procs, func(p *Process) bool { return p.pgid == pgid && !p.interrupted })
}

// has reports whether a running program of g is in the process group. The caller holds
// g.mu.
func (g *Group) has(pgid int) bool {
	return slices.ContainsFunc(g.procs, func(p *Process) bool { return p.pgid == pgid })
}

// deliver sends s to every process group of g. It does not stop the group.
func (g *Group) deliver(s syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.id != 0 {
		g.t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: g.id, Signal: uint8(s)})
	}
}

// Signal sends s to the programs whose Job is job or below it, and reports whether there
// was one.
func (g *Group) Signal(job string, s syscall.Signal) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := false
	for _, p := range g.procs {
		if p.job == job || strings.HasPrefix(p.job, job+"/") {
			p.signal(s, false) // and not its process group, which the rest of the step shares
			found = true
		}
	}
	return found
}

// remove removes a program that has ended. hasLeftovers says that its process group still
// has other processes. The caller holds g.mu.
func (g *Group) remove(p *Process, hasLeftovers bool) {
	if i := slices.Index(g.procs, p); i >= 0 {
		g.procs = slices.Delete(g.procs, i, i+1)
	}
	if hasLeftovers && !g.hasLeftovers {
		g.hasLeftovers = true
		if g.closed && g.rank == 0 {
			g.t.noteLeftovers(g.id)
		}
	}
	if len(g.procs) == 0 {
		g.t.removeLive(g)
		if st := g.stop; st != nil && st.idle != nil {
			close(st.idle)
			st.idle, st.grace = nil, 0
		}
	}
}
