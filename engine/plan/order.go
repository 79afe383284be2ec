package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// checkOrder reports steps that wait for each other, which needs alone never cause: through
// `after`, or because a member of a gang waits for another one, or for a step that is started
// together with one that does. It takes O(steps + needs).
func (p *Plan) checkOrder() error {
	w := orderWalk{p: p, gang: make([][]int32, len(p.Steps)), state: make([]walked, len(p.Steps))}
	for _, g := range p.Gangs {
		for _, i := range g {
			w.gang[i] = g
		}
	}
	// A cycle contains a gang, or an `after`.
	for _, g := range p.Gangs {
		if cycle := w.visit(g[0]); cycle != nil {
			return w.problem(cycle)
		}
	}
	for i, needs := range p.Needs {
		if !slices.ContainsFunc(needs, func(n Need) bool { return n.When == After }) {
			continue
		}
		if cycle := w.visit(int32(i)); cycle != nil {
			return w.problem(cycle)
		}
	}
	return nil
}

// orderWalk is a depth-first walk over a plan in which each gang is one vertex.
type orderWalk struct {
	p     *Plan
	gang  [][]int32 // of each step; nil for none
	state []walked  // of each vertex, by its first step
	path  []hop     // to where the walk is
}

type walked uint8

const (
	unseen walked = iota
	onPath
	done
)

// hop is a need that orders two vertices: from waits for to.
type hop struct {
	from, to int32
	when     When
}

// members returns the steps of the vertex that i is in.
func (w *orderWalk) members(i int32) []int32 {
	if g := w.gang[i]; g != nil {
		return g
	}
	return []int32{i}
}

// visit continues the walk from step i and returns a cycle, or nil. If the cycle contains a gang
// that it enters and leaves at different steps, it begins with such a step.
func (w *orderWalk) visit(i int32) []hop {
	vertex := w.members(i)
	switch w.state[vertex[0]] {
	case done:
		return nil
	case onPath:
		return w.cycleTo(vertex[0])
	}
	w.state[vertex[0]] = onPath
	for _, m := range vertex {
		for _, n := range w.p.Needs[m] {
			if n.When == Together {
				continue
			}
			w.path = append(w.path, hop{m, n.Step, n.When})
			if cycle := w.visit(n.Step); cycle != nil {
				return cycle
			}
			w.path = w.path[:len(w.path)-1]
		}
	}
	w.state[vertex[0]] = done
	return nil
}

// cycleTo returns the end of the path, from the vertex whose first step is given.
func (w *orderWalk) cycleTo(first int32) []hop {
	at := slices.IndexFunc(w.path, func(h hop) bool { return w.members(h.from)[0] == first })
	cycle := w.path[at:]
	for range cycle {
		if cycle[0].from != cycle[len(cycle)-1].to {
			break
		}
		cycle = append(cycle[1:], cycle[0])
	}
	return cycle
}

// problem returns the error of steps that wait for each other.
func (w *orderWalk) problem(cycle []hop) error {
	if cycle[0].from == cycle[len(cycle)-1].to {
		return w.p.orderCycle(cycle)
	}
	return w.p.gangCycle(cycle, w.gang[cycle[0].from])
}

// says describes a hop.
func (p *Plan) says(h hop) string {
	if h.when == After {
		return fmt.Sprintf(" comes after %q", p.Steps[h.to].Label)
	}
	return fmt.Sprintf(" needs %q", p.Steps[h.to].Label)
}

// shownHops is the maximum number of steps of a cycle in an error.
const shownHops = 20

// orderCycle returns the error of steps that wait for each other through `after`.
func (p *Plan) orderCycle(cycle []hop) error {
	for cycle[0].when != After {
		cycle = append(cycle[1:], cycle[0])
	}
	var names, why []string
	for n, h := range cycle {
		if n == shownHops {
			names, why = append(names, "…"), append(why, fmt.Sprintf("and %d more", len(cycle)-n))
			break
		}
		from, to := p.Steps[h.from], p.Steps[h.to]
		pos := to.Pos
		if h.when == After {
			pos = from.afterPos(to)
		}
		names = append(names, fmt.Sprintf("%q", from.Label))
		said := fmt.Sprintf("%q%s", from.Label, p.says(h))
		if pos.IsValid() && (h.when == After || to.From == from) {
			said += fmt.Sprintf(" (%s)", pos)
		}
		why = append(why, said)
	}
	first := p.Steps[cycle[0].from]
	return &diag.Diagnostic{Pos: first.afterPos(p.Steps[cycle[0].to]), Kind: diag.Cycle,
		What: "tasks wait for each other: " + strings.Join(append(names, names[0]), " → "), Why: strings.Join(why, ", "), Fix: "remove one of these"}
}

// gangCycle returns the error of a gang that waits for itself.
func (p *Plan) gangCycle(cycle []hop, gang []int32) error {
	label := func(i int32) string { return fmt.Sprintf("%q", p.Steps[i].Label) }
	together := make([]string, len(gang))
	for n, i := range gang {
		together[n] = label(i)
	}
	because, fix := "because they read each other's output", "read the finished output instead: stdin: {output: …}"
	if slices.ContainsFunc(gang, func(i int32) bool {
		return slices.ContainsFunc(p.Needs[i], func(n Need) bool { return n.When == Together && n.Messages })
	}) {
		because, fix = "because of the messages that they send", "remove one of these"
	}
	why := fmt.Sprintf("%s are started together, %s; but %s", strings.Join(together, " and "), because, label(cycle[0].from))
	at := cycle[0].from
	for n, h := range cycle {
		if n > 0 {
			why += ", which"
		}
		if h.from != at {
			why += " is started together with " + label(h.from) + ", which"
		}
		why += p.says(h)
		at = h.to
	}
	step := p.Steps[cycle[0].from]
	return &diag.Diagnostic{Pos: step.Task.Pos, Kind: diag.Cycle,
		What: fmt.Sprintf("task %q waits for the end of a task that is started together with it", step.Label),
		Why:  why, Fix: fix}
}
