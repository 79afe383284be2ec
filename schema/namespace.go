package schema

import (
	"slices"
	"strings"
)

// rename puts the names of t, and of all tasks that t names, into the namespace of the
// include.
func (a *adder) rename(t *Task) {
	if a.e.flatten {
		return
	}
	ns, local := a.e.name, t.Name
	t.Name = below(ns, t.Name)
	if len(t.Aliases) > 0 || len(a.e.aliases) > 0 {
		names := make([]string, 0, len(t.Aliases)+len(a.e.aliases)*(1+len(t.Aliases)))
		for _, al := range t.Aliases {
			names = append(names, below(ns, al))
		}
		for _, other := range a.e.aliases {
			names = append(names, below(other, local))
			for _, al := range t.Aliases {
				names = append(names, below(other, al))
			}
		}
		t.setAliases(names)
	}
	t.Deps, t.Cmds = callsBelow(ns, t.Deps), callsBelow(ns, t.Cmds)
	if refersToTask(t.Processes) || t.Running != nil && len(t.Running.After) > 0 {
		o := *t.TaskOptions
		o.Processes, o.Running = refsBelow(ns, o.Processes), o.Running.below(ns)
		t.TaskOptions = &o
	}
}

// setAliases gives t aliases of its own.
func (t *Task) setAliases(names []string) {
	o := *t.TaskOptions
	o.Aliases = names
	t.TaskOptions = &o
}

// below puts a name into a namespace. A name with a leading colon only loses the colon.
//
//go:noinline
func below(ns, name string) string {
	if outer, ok := strings.CutPrefix(name, ":"); ok {
		return outer
	}
	return ns + ":" + name
}

// callsBelow returns cs with the names of called tasks, and of those that are read, in a
// namespace. It leaves cs alone, and returns it if there are no such names.
func callsBelow(ns string, cs []Command) []Command {
	if !slices.ContainsFunc(cs, namesTasks) {
		return cs
	}
	cs = slices.Clone(cs)
	for i := range cs {
		c := &cs[i]
		if c.Kind == Call {
			c.Text.S = below(ns, c.Text.S)
		}
		if refersToTask(c.Processes) || len(c.Members) > 0 {
			o := *c.CommandOptions
			o.Processes, o.Members = refsBelow(ns, o.Processes), callsBelow(ns, o.Members)
			c.CommandOptions = &o
		}
	}
	return cs
}

// namesTasks reports whether a command, or a member of it, names a task.
func namesTasks(c Command) bool {
	return c.Kind == Call || refersToTask(c.Processes) || slices.ContainsFunc(c.Members, namesTasks)
}

// refersToTask reports whether a task is named for what it writes, or for messages.
func refersToTask(p *Processes) bool {
	return p != nil && (p.Stdin != nil && p.Stdin.ReadsTask() || p.IPC != nil && p.IPC.To != nil)
}

// refsBelow puts the names of tasks that p refers to into a namespace.
func refsBelow(ns string, p *Processes) *Processes {
	if !refersToTask(p) {
		return p
	}
	own := *p
	if p.Stdin != nil && p.Stdin.ReadsTask() {
		stdin := *p.Stdin
		stdin.Text.S = below(ns, stdin.Text.S)
		own.Stdin = &stdin
	}
	if p.IPC != nil && p.IPC.To != nil {
		ipc, to := *p.IPC, *p.IPC.To
		to.Text.S = below(ns, to.Text.S)
		ipc.To, own.IPC = &to, &ipc
	}
	return &own
}

// below returns r with the names of tasks in a namespace.
func (r *Running) below(ns string) *Running {
	if r == nil || len(r.After) == 0 {
		return r
	}
	own := *r
	own.After = slices.Clone(r.After)
	for i := range own.After {
		own.After[i].S = below(ns, own.After[i].S)
	}
	return &own
}
