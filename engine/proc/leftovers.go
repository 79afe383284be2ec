package proc

import (
	"cmp"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// leftoverGrace is how long leftovers may take to end before they are killed.
const leftoverGrace = time.Second

// Leftover is a process that a program has left behind.
type Leftover struct {
	Pid  int
	Name string // as the kernel has it, at most 15 bytes
	Kept bool   // it continues after weft
}

// LeftoverPolicy is the treatment of the leftovers of a group.
type LeftoverPolicy uint8

const (
	LeftoverAuto LeftoverPolicy = iota // Table.Close decides
	LeftoverKill                       // Group.Close stops them
	LeftoverWait                       // Group.Close waits for them
	LeftoverKeep                       // they continue, even after weft
)

// treatLeftovers applies the policy of a closed group.
func (g *Group) treatLeftovers(stopped bool) []Leftover {
	switch {
	case g.o.Leftover == LeftoverKeep:
		g.t.mu.Lock()
		g.t.kept = append(g.t.kept, g)
		g.t.mu.Unlock()
	case stopped:
		g.terminate()
	case g.o.Leftover == LeftoverKill:
		ms := g.members()
		g.terminate()
		return leftovers(ms, false)
	case g.o.Leftover == LeftoverWait:
		g.awaitLeftovers()
	}
	return nil
}

// members returns the living processes of the group. If no other group can have any, these
// are all there are.
func (g *Group) members() []keeper.Member {
	if g.alone && g.t.groupIDs.Load() == g.id {
		return g.t.host.members(0, "")
	}
	return g.t.host.members(g.id, g.o.Cookie.String())
}

// awaitLeftovers returns when the group has no process left. If the group is stopped
// meanwhile, its leftovers are, too.
func (g *Group) awaitLeftovers() {
	for {
		orphan := g.t.host.nextOrphan()
		if len(g.members()) == 0 {
			return
		}
		select {
		case <-orphan:
		case <-time.After(pollInterval):
		case <-g.Done():
			g.terminate()
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

// noteLeftovers records that a closed group has leftovers.
func (t *Table) noteLeftovers(group uint32) {
	t.mu.Lock()
	t.withLeftovers = append(t.withLeftovers, group)
	t.mu.Unlock()
}

// StopLeftovers sends l.Signal to the background processes of closed groups: a Ctrl-C for the run
// applies to them, too. Those that weft has started itself are killed after l.Grace, if it is not
// zero.
func (t *Table) StopLeftovers(cause error, l Ladder) {
	if t.begun.Load() {
		if h, err := t.connect(); err == nil {
			go h.takeOver()
		}
	}
	for _, g := range t.groups() {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed {
			g.Stop(cause, l)
		}
	}
	t.mu.Lock()
	groups := t.withLeftovers
	t.mu.Unlock()
	for _, group := range groups {
		t.host.signal(keeper.Signal{Scope: keeper.GroupScope, Target: group, Signal: uint8(cmp.Or(l.Signal, syscall.SIGTERM)), Cont: true})
	}
}

// Close stops all remaining processes, by SIGTERM and a second later by SIGKILL, and the
// host. If keep is set, daemons are kept: processes in a session of their own, or started
// by nohup. Those of groups with LeftoverKeep are always kept. Close returns the stopped and
// the kept processes. The owners of groups must have closed them before. A second call does
// nothing.
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
	// From now on nothing is started.
	t.connecting.Do(func() { t.hostErr = fs.ErrClosed })
	if t.host == nil {
		return nil
	}
	all := t.host.finish()
	if all == nil {
		return nil
	}
	kept, stopped := t.classify(all, keep)
	if len(stopped) > 0 {
		t.terminate(func() []keeper.Member { return without(t.host.members(0, ""), kept) }, t.limitTimeout(leftoverGrace))
	}
	t.host.end(kept)
	return append(leftovers(kept, true), leftovers(stopped, false)...)
}

// startingLimit is how long classify waits, on a busy machine, for processes that are still
// starting.
const startingLimit = 10 * time.Second

// classify divides all members into those that are kept and those that are to be stopped.
// With detached set, daemons are kept; a process that is still starting may yet become one.
func (t *Table) classify(all []keeper.Member, detached bool) (kept, stopped []keeper.Member) {
	for end := time.Now().Add(startingLimit); ; all = t.host.members(0, "") {
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
					if m.IgnoresHangup {
						kept = append(kept, m)
					}
				}
			}
			starting = slices.ContainsFunc(all, isStarting)
		}
		if !starting || time.Now().After(end) {
			return kept, without(all, kept)
		}
		time.Sleep(pollInterval / 4)
	}
}

func isStarting(m keeper.Member) bool { return m.Starting }

// without returns the members that are not in kept.
func without(ms, kept []keeper.Member) []keeper.Member {
	return slices.DeleteFunc(slices.Clone(ms), func(m keeper.Member) bool {
		return slices.ContainsFunc(kept, func(k keeper.Member) bool { return k.Pid == m.Pid })
	})
}

// terminate ends the leftovers of the group, whose programs have ended, and returns when
// none is left. It kills them after the remaining grace of the group, at least
// leftoverGrace, or at once if the group was killed.
func (g *Group) terminate() {
	g.mu.Lock()
	grace := leftoverGrace
	if g.stop != nil {
		grace = max(grace, time.Until(g.stop.kill))
	}
	grace = g.LimitTimeout(grace)
	if g.rank >= rank(syscall.SIGKILL) {
		grace = 0
	}
	g.mu.Unlock()
	g.t.terminate(g.members, grace)
}

// killLimit is how long killed processes may take to disappear. One in an
// uninterruptible system call, or of another user, is given up.
const killLimit = 2 * time.Second

// terminate sends SIGTERM to the processes that members lists, and SIGKILL after grace. It
// returns when the list is empty, or killLimit after the SIGKILL. Without a grace it kills
// at once.
func (t *Table) terminate(members func() []keeper.Member, grace time.Duration) {
	sig := syscall.SIGTERM
	var limit <-chan time.Time
	if grace == 0 {
		sig, limit = syscall.SIGKILL, t.after(killLimit)
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
		case <-time.After(pollInterval):
		case <-limit:
			if sig == syscall.SIGKILL {
				return
			}
			sig = syscall.SIGKILL
			limit = t.after(killLimit)
		}
	}
}

// pollInterval is the polling interval for processes that another process reaps.
const pollInterval = 20 * time.Millisecond
