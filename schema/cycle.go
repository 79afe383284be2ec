package schema

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// need is one dependency whose target is known.
type need struct {
	to    *Task
	pos   diag.Pos
	loop  *For // nil: there is none
	after bool // it is only an order (after), not a need
}

// cycles reports dependencies that lead back to their own task. Of tasks that are in
// several cycles, one cycle is reported.
func (c *checker) cycles() {
	const (
		unseen = iota
		open   // on the path that is followed
		done
	)
	type frame struct {
		task  *Task
		needs []need
		next  int
	}
	state := make(map[*Task]uint8, len(c.w.Tasks))
	shown := map[*Task]bool{}
	var path []frame
	push := func(t *Task) {
		state[t] = open
		path = append(path, frame{task: t, needs: c.needs(t)})
	}
	for _, root := range c.w.Tasks {
		if state[root] != unseen {
			continue
		}
		push(root)
		for len(path) > 0 {
			top := &path[len(path)-1]
			if top.next == len(top.needs) {
				state[top.task] = done
				path = path[:len(path)-1]
				continue
			}
			n := top.needs[top.next]
			top.next++
			switch state[n.to] {
			case unseen:
				push(n.to)
			case open:
				if shown[n.to] && shown[top.task] {
					continue
				}
				start := len(path) - 1
				for path[start].task != n.to {
					start--
				}
				var ring []need
				for _, f := range path[start:] {
					ring = append(ring, f.needs[f.next-1])
					shown[f.task] = true
				}
				c.cycle(n.to, ring)
			}
		}
	}
}

// needs returns the dependencies of t whose names are not templates: those it needs,
// and those it reads.
func (c *checker) needs(t *Task) []need {
	ns := make([]need, 0, len(t.Deps))
	EachText(t, func(p Place, name Text) {
		if !p.Need && p.Key != KeyStdinTask && p.Key != KeyIPCTo && p.Key != KeyAfter || p.Kind() != TextTask || IsTemplate(name.S) {
			return
		}
		to, _, err := c.w.find(name.S)
		if err != nil || to == nil {
			return
		}
		n := need{to: to, pos: name.Pos, after: p.Key == KeyAfter}
		switch {
		case p.Need:
			n.pos, n.loop = p.Command.Pos, p.Command.For
		case p.Key == KeyStdinTask:
			n.pos = p.Processes().Stdin.Pos
		}
		ns = append(ns, n)
	})
	return ns
}

// cycle reports one cycle: ring are the needs from first back to first.
func (c *checker) cycle(first *Task, ring []need) {
	severity, from := diag.Error, first
	names := []string{first.Name}
	var steps []string
	orders := 0
	for _, n := range ring {
		names = append(names, n.to.Name)
		verb := "needs"
		if n.after {
			verb = "comes after"
			orders++
		}
		steps = append(steps, fmt.Sprintf("%q %s %q (%s)", from.Name, verb, n.to.Name, n.pos))
		// A condition may end the recursion.
		if n.to.If.S != "" || len(n.to.Platforms) > 0 || n.loop != nil && len(n.loop.List) == 0 {
			severity = diag.Warning
		}
		from = n.to
	}
	what := "tasks need each other: "
	if orders > 0 {
		what = "tasks wait for each other: "
	}
	if orders > 1 {
		severity = diag.Warning // they may never run together
	}
	c.add(severity, diag.Cycle, ring[0].pos, what+strings.Join(names, " → "), strings.Join(steps, ", "), "remove one of these dependencies")
}
