package plan

// Alone reports, for each step, whether it is ordered against every other step
// of the plan: nothing can ever run beside it. It takes O(steps + needs).
//
// A step that is the only one ready in Kahn's order has every step that is
// still to come below it; the only one ready in the reverse order has them
// above it. It is alone when the two together are all the others.
func (p *Plan) Alone() []bool {
	n := len(p.Steps)
	alone := make([]bool, n)
	if n == 1 {
		alone[0] = true
		return alone
	}
	before, after := p.order()
	below := soleReady(before, after)
	above := soleReady(after, before)
	for i := range alone {
		alone[i] = below[i] >= 0 && above[i] >= 0 && int(below[i])+int(above[i])+1 == n
	}
	for _, g := range p.Gangs {
		for _, i := range g {
			alone[i] = false
		}
	}
	return alone
}

// lists hold one list of vertices for each vertex, all in one slice: that of v is
// to[first[v]:first[v+1]].
type lists struct{ first, to []int32 }

func (l lists) of(v int32) []int32 { return l.to[l.first[v]:l.first[v+1]] }

// order returns the steps that have ended when a step starts, and the reverse:
// only needs, not what these need.
func (p *Plan) order() (before, after lists) {
	n, edges := len(p.Steps), 0
	before.first, after.first = make([]int32, n+1), make([]int32, n+1)
	for i, needs := range p.Needs {
		for _, need := range needs {
			if !need.When.Outlives() {
				edges++
				after.first[need.Step]++
			}
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
	for i, needs := range p.Needs {
		for _, need := range needs {
			if !need.When.Outlives() {
				before.to = append(before.to, need.Step)
				after.first[need.Step]--
				after.to[after.first[need.Step]] = int32(i)
			}
		}
	}
	return before, after
}

// soleReady runs Kahn's algorithm and returns, for each vertex that was the
// only one ready when its turn came, how many came after it; -1 for the others.
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
