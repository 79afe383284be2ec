package proc

import "syscall"

// Forward forwards a signal received by weft to the groups with a mapping for it that have programs
// now. It returns the number of these groups.
func (t *Table) Forward(s syscall.Signal) int {
	n := 0
	for _, g := range t.groups() {
		if to := g.o.Forwards[s]; to != 0 {
			g.Send(to)
			n++
		}
	}
	return n
}

// Send sends s to the group, without stopping it.
func (g *Group) Send(s syscall.Signal) {
	if !g.o.Stop.Main {
		g.deliver(s)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.procs {
		p.signal(s, false)
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
		out = append(out, Running{Step: g.o.Cookie.Step, Processes: t.members(g)})
	}
	return out
}

// Members returns the processes of the groups of a step, as Running does.
func (t *Table) Members(step int) (all []Member) {
	for _, g := range t.groups() {
		if g.o.Cookie.Step == step {
			all = append(all, t.members(g)...)
		}
	}
	return all
}

func (t *Table) members(g *Group) (all []Member) {
	g.mu.Lock()
	id := g.id
	g.mu.Unlock()
	for _, m := range t.host.members(id, g.o.Cookie.String()) {
		all = append(all, Member{int(m.Pid), m.Name})
	}
	return all
}
