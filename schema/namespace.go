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
	if t.Namespace == "" {
		t.Namespace = ns
	} else {
		t.Namespace = ns + ":" + t.Namespace
	}
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
	callsBelow(ns, t.Deps)
	callsBelow(ns, t.Cmds)
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

// ownCopy returns a copy of t that can be renamed on its own. The two share what renaming
// does not change.
func ownCopy(t *Task) *Task {
	n := new(Task)
	*n = *t
	n.Deps, n.Cmds = ownCalls(t.Deps), ownCalls(t.Cmds)
	return n
}

// ownCalls returns a copy of cs, members of groups included, or cs itself when
// no name in it can change.
func ownCalls(cs []Command) []Command {
	if !slices.ContainsFunc(cs, namesTasks) {
		return cs
	}
	cs = slices.Clone(cs)
	for i := range cs {
		if c := &cs[i]; len(c.Members) > 0 {
			o := *c.CommandOptions
			o.Members = ownCalls(o.Members)
			c.CommandOptions = &o
		}
	}
	return cs
}

// callsBelow puts the names of called tasks, and of those that are read, into a
// namespace. It changes cs in place, but no CommandOptions: those are shared.
func callsBelow(ns string, cs []Command) {
	for i := range cs {
		c := &cs[i]
		if c.Kind == Call {
			c.Text.S = below(ns, c.Text.S)
		}
		callsBelow(ns, c.Members)
		if readsTask(c.Processes) {
			o := *c.CommandOptions
			o.Processes = readsBelow(ns, o.Processes)
			c.CommandOptions = &o
		}
	}
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
