package proc

import (
	"syscall"

	"github.com/weftrun/weft/engine/keeper"
)

// Forward forwards a signal that weft was sent to the groups that asked for it and have
// programs now. It returns the number of these groups.
func (t *Table) Forward(s syscall.Signal) int {
	n := 0
	for _, g := range t.groups() {
		if to := g.forwards[s]; to != 0 {
			g.forward(to)
			n++
		}
	}
	return n
}

// forward sends s to the group, without stopping it.
func (g *Group) forward(s syscall.Signal) {
	if !g.stop.Main {
		g.deliver(s)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.procs {
		g.t.host.signal(keeper.Signal{Scope: keeper.ProcessScope, Target: p.id, Signal: uint8(s)})
	}
}

// Running is a group that has processes.
type Running struct {
	Step      int // the Step of the group's Cookie
	Processes []Member
}

// Member is a process of a group: one that was started, or anything below it.
type Member struct {
	Pid  int
	Name string // as the kernel has it, at most 15 bytes
}

// Running returns the groups that have processes, and these processes. On a system without
// KEEPER the processes are unknown.
func (t *Table) Running() []Running {
	var out []Running
	for _, g := range t.groups() {
		r := Running{Step: g.cookie.Step}
		g.mu.Lock()
		id := g.id
		g.mu.Unlock()
		for _, m := range t.host.members(id, g.cookie.String()) {
			r.Processes = append(r.Processes, Member{int(m.Pid), m.Name})
		}
		out = append(out, r)
	}
	return out
}
