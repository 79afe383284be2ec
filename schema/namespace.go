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
	t.Namespace = strings.TrimSuffix(ns+":"+t.Namespace, ":")
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
		t.Aliases = names
	}
	t.Deps, t.Cmds = callsBelow(ns, t.Deps), callsBelow(ns, t.Cmds)
	if readsTask(t.Processes) {
		o := *t.TaskOptions
		o.Processes = readsBelow(ns, o.Processes)
		t.TaskOptions = &o
	}
}

// below puts a name into a namespace. A name with a leading colon only loses the colon.
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
		if readsTask(c.Processes) || len(c.Members) > 0 {
			o := *c.CommandOptions
			o.Processes, o.Members = readsBelow(ns, o.Processes), callsBelow(ns, o.Members)
			c.CommandOptions = &o
		}
	}
	return cs
}

// namesTasks reports whether a command, or a member of it, names a task.
func namesTasks(c Command) bool {
	return c.Kind == Call || readsTask(c.Processes) || slices.ContainsFunc(c.Members, namesTasks)
}

func readsTask(p *Processes) bool {
	return p != nil && p.Stdin != nil && p.Stdin.ReadsTask()
}

// readsBelow puts the name of the task that is read into a namespace.
func readsBelow(ns string, p *Processes) *Processes {
	if !readsTask(p) {
		return p
	}
	own, stdin := *p, *p.Stdin
	stdin.Text.S = below(ns, stdin.Text.S)
	own.Stdin = &stdin
	return &own
}
