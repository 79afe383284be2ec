package proc

import (
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// leftGrace is how long processes that a command left behind may take to end.
const leftGrace = time.Second

// Leftover is a process that was left behind.
type Leftover struct {
	Pid  int
	Name string // the kernel's, at most 15 bytes
	Kept bool   // it goes on after weft
}

// Policy is what becomes of processes that a group leaves behind.
type Policy uint8

const (
	Auto     Policy = iota // Table.Close decides
	KillLeft               // they are stopped when the group is closed
	WaitLeft               // closing the group waits for them
	Keep                   // they go on, also after weft
)

// leave treats what a closed group leaves behind.
func (g *Group) leave(stopped bool) []Leftover {
	switch {
	case g.leftover == Keep:
		g.t.mu.Lock()
		g.t.kept = append(g.t.kept, g)
		g.t.mu.Unlock()
	case stopped:
		g.clear()
	case g.leftover == KillLeft:
		ms := g.members()
		g.clear()
		return leftovers(ms, false)
	case g.leftover == WaitLeft:
		g.outlast()
	}
	return nil
}

// members returns what is alive of the group: everything there is, if no other group
// can have it.
func (g *Group) members() []keeper.Member {
	if g.alone && g.t.groupIDs.Load() == g.id {
		return g.t.host.members(0, "")
	}
	return g.t.host.members(g.id, g.cookie.String())
}

// outlast returns when nothing is left of the group. Once it is stopped, what
// is left is stopped, too.
func (g *Group) outlast() {
	for {
		orphan := g.t.host.nextOrphan()
		if len(g.members()) == 0 {
			return
		}
		select {
		case <-orphan:
		case <-time.After(lookAgain):
		case <-g.Done():
			g.clear()
			return
		}
	}
}

func leftovers(ms []keeper.Member, kept bool) []Leftover {
	out := make([]Leftover, len(ms))
	for i, m := range ms {
		out[i] = Leftover{Pid: int(m.Pid), Name: m.Name, Kept: kept}
	}
	return out
}

// leaveBehind remembers that a closed group left something.
func (t *Table) leaveBehind(group uint32) {
	t.mu.Lock()
	t.left = append(t.left, group)
	t.mu.Unlock()
}

// StopLeft sends l.Signal to what commands that are over left running in the
// background: a Ctrl-C for the run is for them too. Those that weft started
// itself are also killed after l.Grace, if it is not zero.
func (t *Table) StopLeft(cause error, l Ladder) {
	if t.begun.Load() {
		if h, err := t.connect(); err == nil {
			go h.takeOver()
		}
	}
	for _, g := range t.groups() {
		g.mu.Lock()
		over := g.closed
		g.mu.Unlock()
		if over {
			g.Stop(cause, l)
		}
	}
	if l.Signal == 0 {
		l.Signal = syscall.SIGTERM
	}
	t.mu.Lock()
	left := t.left
	t.mu.Unlock()
	for _, group := range left {
		t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: group, Signal: uint8(l.Signal), Cont: true})
	}
}

// Close ends the run's processes and what watches over them: whatever is still
// there is stopped (SIGTERM, a second later SIGKILL). With keep set, processes
// that mean to stay, in a session of their own or started by nohup, go on
// after weft, and those of groups with the policy Keep always do. Both kinds are
// returned. Groups are closed by their owners, before.
// A second call does nothing.
func (t *Table) Close(keep bool) []Leftover {
	defer t.term.close()
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if closed {
		return nil
	}
	defer t.null.close()
	// Nothing is started any more.
	t.connecting.Do(func() { t.hostErr = fs.ErrClosed })
	if t.host == nil {
		return nil
	}
	all := t.host.finish()
	if all == nil {
		return nil
	}
	kept, stopped := t.judge(all, keep)
	if len(stopped) > 0 {
		t.clear(func() []keeper.Member { return without(t.host.members(0, ""), kept) }, leftGrace)
	}
	t.host.end(kept)
	return append(leftovers(kept, true), leftovers(stopped, false)...)
}

// mayStart is how long at most processes that are starting are waited for, on a
// machine that hardly lets them.
const mayStart = 10 * time.Second

// judge says of all members which go on after weft, and which do not. With detached
// set those go on, too, that mean to stay; who is starting has not shown yet.
func (t *Table) judge(all []keeper.Member, detached bool) (kept, stopped []keeper.Member) {
	for end := time.Now().Add(mayStart); ; all = t.host.members(0, "") {
		kept = nil
		for _, g := range t.kept {
			kept = append(kept, without(g.members(), kept)...)
		}
		starting := slices.ContainsFunc(kept, isStarting)
		if detached {
			for _, m := range without(all, kept) {
				if m.Detached {
					kept = append(kept, m)
				}
			}
			for _, g := range t.nohup {
				for _, m := range without(g.members(), kept) {
					if m.Deaf {
						kept = append(kept, m)
					}
				}
			}
			starting = slices.ContainsFunc(all, isStarting)
		}
		if !starting || time.Now().After(end) {
			return kept, without(all, kept)
		}
		time.Sleep(lookAgain / 4)
	}
}

func isStarting(m keeper.Member) bool { return m.Starting }

// without returns the members that are not among kept.
func without(ms, kept []keeper.Member) []keeper.Member {
	var out []keeper.Member
	for _, m := range ms {
		found := false
		for _, k := range kept {
			found = found || k.Pid == m.Pid
		}
		if !found {
			out = append(out, m)
		}
	}
	return out
}

// clear returns when nothing is left of the group. Its programs have ended; what
// they left is told to end and killed when the rest of the group's grace, at
// least leftGrace, is over, or at once if the group was killed.
func (g *Group) clear() {
	g.mu.Lock()
	grace := max(leftGrace, time.Until(g.kill))
	if g.rank >= rank(syscall.SIGKILL) {
		grace = 0
	}
	g.mu.Unlock()
	g.t.clear(g.members, grace)
}

// unkillableAfter is how long killed processes may take to be gone: one in an
// uninterruptible system call, or of another user, is left.
const unkillableAfter = 2 * time.Second

// clear sends SIGTERM to what members lists, SIGKILL after grace, and returns
// when the list is empty, or unkillableAfter later. Without a grace it kills.
func (t *Table) clear(members func() []keeper.Member, grace time.Duration) {
	sig := syscall.SIGTERM
	var limit <-chan time.Time
	if grace == 0 {
		sig, limit = syscall.SIGKILL, t.after(unkillableAfter)
	}
	for {
		orphan := t.host.nextOrphan()
		ms := members()
		if len(ms) == 0 {
			return
		}
		if limit == nil || sig == syscall.SIGKILL {
			t.host.signalPids(sig, ms)
			if sig != syscall.SIGKILL {
				t.host.signalPids(sigCont, ms)
			}
		}
		if limit == nil {
			limit = t.after(grace)
		}
		select {
		case <-orphan:
		case <-time.After(lookAgain):
		case <-limit:
			if sig == syscall.SIGKILL {
				return
			}
			sig = syscall.SIGKILL
			limit = t.after(unkillableAfter)
		}
	}
}

// lookAgain is how long at most until a process that somebody else reaps is
// known to be gone.
const lookAgain = 20 * time.Millisecond
