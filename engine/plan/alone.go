package plan

import "slices"

// Alone reports, for each step, whether it is ordered against every other step
// of the plan: nothing can ever run beside it. It takes O(steps + needs).
//
// A step that is the only one ready in Kahn's order has every remaining step below it; the only one
// ready in the reverse order has them above it. It is alone when the two together are all the
// others.
func (p *Plan) Alone() []bool {
	needs := p.events()
	n := len(needs)
	alone := make([]bool, len(p.Steps))
	if n == 1 {
		alone[0] = !p.Steps[0].Serves
		return alone
	}
	before, after := order(needs)
	below := soleReady(before, after)
	above := soleReady(after, before)
	for i := range alone {
		alone[i] = below[i] >= 0 && above[i] >= 0 && int(below[i])+int(above[i])+1 == n && !p.Steps[i].Serves
	}
	for _, g := range p.Gangs {
		for _, i := range g {
			alone[i] = false
		}
	}
	return alone
}

// events returns what each event of a run of p comes after, as needs: the end of each step,
// and then the starts of steps that continue when their dependents start, and the ends of commands
// in the background, which nothing comes after.
func (p *Plan) events() [][]Need {
	if !p.lasts() {
		return p.Needs
	}
	starts := map[int32]int32{} // of steps, as events
	for i, s := range p.Steps {
		if s.Background() {
			starts[int32(i)] = 0
		}
		for _, n := range p.Needs[i] {
			if n.When.Outlives() || p.Steps[n.Step].Serves {
				starts[n.Step] = 0
			}
		}
	}
	events := make([][]Need, len(p.Steps), len(p.Steps)+2*len(starts))
	for i := range starts {
		starts[i] = int32(len(events))
		events = append(events, nil)
	}
	for i, needs := range p.Needs {
		end := int32(i)
		start, split := starts[end]
		if split {
			events[end] = []Need{{Step: start}}
		} else {
			start = end
		}
		for _, n := range needs {
			if begun, ok := starts[n.Step]; ok && (n.When.Outlives() || p.Steps[n.Step].Serves) {
				n.Step = begun
			}
			events[start] = append(events[start], n)
		}
		if p.Steps[i].Background() {
			events = append(events, []Need{{Step: start}})
		}
	}
	return events
}

// lasts reports whether a step in p may continue when its dependents start, or a command when its
// step has ended.
func (p *Plan) lasts() bool {
	for i, s := range p.Steps {
		if s.Serves || s.Background() || slices.ContainsFunc(p.Needs[i], func(n Need) bool { return n.When.Outlives() }) {
			return true
		}
	}
	return false
}

// Background reports whether commands of s may outlive it.
func (s *Step) Background() bool { return s.facts != nil && s.facts.background && s.Skip == NotSkipped }

// lists hold one list of vertices for each vertex, all in one slice: that of v is
// to[first[v]:first[v+1]].
type lists struct{ first, to []int32 }

func (l lists) of(v int32) []int32 { return l.to[l.first[v]:l.first[v+1]] }

// order returns the events that come before an event, and the reverse: only needs, not what
// these need.
func order(all [][]Need) (before, after lists) {
	n, edges := len(all), 0
	before.first, after.first = make([]int32, n+1), make([]int32, n+1)
	for i, needs := range all {
		for _, need := range needs {
			edges++
			after.first[need.Step]++
		}
		before.first[i+1] = int32(edges)
	}
	// The end of each list for now; filling it from there makes it its start.
	end := int32(0)
	for i := range after.first {
		end += after.first[i]
		after.first[i] = end
	}
	before.to, after.to = make([]int32, 0, edges), make([]int32, edges)
	for i, needs := range all {
		for _, need := range needs {
			before.to = append(before.to, need.Step)
			after.first[need.Step]--
			after.to[after.first[need.Step]] = int32(i)
		}
	}
	return before, after
}

// soleReady runs Kahn's algorithm and returns, for each vertex that was the only one ready when it
// was visited, the number of later vertices; -1 for the others.
func soleReady(before, after lists) []int32 {
	n := len(before.first) - 1
	remaining := make([]int32, n)
	later := make([]int32, n)
	ready := make([]int32, 0, n)
	for v := range int32(n) {
		later[v] = -1
		remaining[v] = int32(len(before.of(v)))
		if remaining[v] == 0 {
			ready = append(ready, v)
		}
	}
	for done := 0; done < len(ready); done++ {
		v := ready[done]
		if done+1 == len(ready) {
			later[v] = int32(n - done - 1)
		}
		for _, w := range after.of(v) {
			if remaining[w]--; remaining[w] == 0 {
				ready = append(ready, w)
			}
		}
	}
	return later
}
