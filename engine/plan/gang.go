package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// gangs returns the sets of steps that needs connect whose condition is Together.
func gangs(p *Plan) [][]int32 {
	// Union-find: each step points to another of its set, the first one to itself.
	set := make([]int32, len(p.Steps))
	for i := range set {
		set[i] = int32(i)
	}
	find := func(i int32) int32 {
		for set[i] != i {
			set[i] = set[set[i]]
			i = set[i]
		}
		return i
	}
	for i, needs := range p.Needs {
		for _, n := range needs {
			if n.When != Together {
				continue
			}
			a, b := find(n.Step), find(int32(i))
			set[max(a, b)] = min(a, b)
		}
	}
	var out [][]int32
	place := map[int32]int{} // in out, of a set, by its first member
	for i := range set {
		first := find(int32(i))
		if first == int32(i) {
			continue
		}
		at, ok := place[first]
		if !ok {
			at = len(out)
			place[first] = at
			out = append(out, []int32{first})
		}
		out[at] = append(out[at], int32(i))
	}
	return out
}

// checkGangs reports a gang that waits for itself: a member needs the end of another,
// or of what is started together with something that does. It takes O(steps + needs).
func (p *Plan) checkGangs() error {
	w := gangWalk{p: p, gang: make([][]int32, len(p.Steps)), state: make([]walked, len(p.Steps))}
	for _, g := range p.Gangs {
		for _, i := range g {
			w.gang[i] = g
		}
	}
	for _, g := range p.Gangs {
		if cycle := w.visit(g[0]); cycle != nil {
			return p.gangCycle(cycle, w.gang[cycle[0].from])
		}
	}
	return nil
}

// gangWalk is a depth-first walk over a plan in which each gang is one vertex.
type gangWalk struct {
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

// hop is a need that orders two vertices: from waits for the end of to.
type hop struct{ from, to int32 }

// members returns the steps of the vertex that i is in.
func (w *gangWalk) members(i int32) []int32 {
	if g := w.gang[i]; g != nil {
		return g
	}
	return []int32{i}
}

// visit walks on from step i and returns a cycle, or nil. It begins with a member of a gang
// and ends with another one of that.
func (w *gangWalk) visit(i int32) []hop {
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
			w.path = append(w.path, hop{m, n.Step})
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
func (w *gangWalk) cycleTo(first int32) []hop {
	at := slices.IndexFunc(w.path, func(h hop) bool { return w.members(h.from)[0] == first })
	cycle := w.path[at:]
	// Some gang is left at another step than it was come to: needs alone make no cycle.
	for cycle[0].from == cycle[len(cycle)-1].to {
		cycle = append(cycle[1:], cycle[0])
	}
	return cycle
}

// gangCycle is the error of a gang that waits for itself.
func (p *Plan) gangCycle(cycle []hop, gang []int32) error {
	label := func(i int32) string { return fmt.Sprintf("%q", p.Steps[i].Label) }
	together := make([]string, len(gang))
	for n, i := range gang {
		together[n] = label(i)
	}
	why := fmt.Sprintf("%s are started together, because they read each other's output; but %s", strings.Join(together, " and "), label(cycle[0].from))
	at := cycle[0].from
	for n, h := range cycle {
		if n > 0 {
			why += ", which"
		}
		if h.from != at {
			why += " is started together with " + label(h.from) + ", which"
		}
		why += " needs " + label(h.to)
		at = h.to
	}
	step := p.Steps[cycle[0].from]
	return &diag.Diagnostic{Pos: step.Task.Pos, Kind: diag.Cycle,
		What: fmt.Sprintf("task %q waits for the end of a task that is started together with it", step.Label),
		Why:  why, Fix: "read the finished output instead: stdin: {output: …}"}
}
