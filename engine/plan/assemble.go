package plan

import "time"

// assemble numbers the steps below roots: depth first, as written, needs before
// what needs them. A shared step stands once; one that the run knows already
// stands without its needs. keyed is about how many of the steps are shared. The
// error is a stream that could never flow.
func assemble(roots []*Step, keyed int) (*Plan, error) {
	a := assembler{p: &Plan{}, shared: make(map[*Step]int32, keyed)}
	for _, r := range roots {
		a.p.Roots = append(a.p.Roots, a.add(r))
	}
	if a.streams == nil {
		return a.p, nil
	}
	a.p.Streams = make([][]bool, len(a.p.Steps))
	for i, step := range a.streams {
		a.p.Streams[step] = a.rows[i]
	}
	a.p.Gangs = gangs(a.p)
	return a.p, a.p.checkGangs()
}

type assembler struct {
	p      *Plan
	shared map[*Step]int32 // only steps with a key can be met twice
	// Steps with streams among their needs, and which those are.
	streams []int32
	rows    [][]bool
}

func (a *assembler) add(s *Step) int32 {
	if s.Shared() {
		if i, ok := a.shared[s]; ok {
			return i
		}
	}
	var needs []int32
	var timeouts []time.Duration
	var streams []bool
	if len(s.needs) > 0 && !s.known.Load() {
		needs = make([]int32, len(s.needs))
		for i, n := range s.needs {
			needs[i] = a.add(n.step)
			if n.timeout > 0 {
				if timeouts == nil {
					timeouts = make([]time.Duration, len(s.needs))
				}
				timeouts[i] = n.timeout
			}
			if n.timeout == asStream {
				if streams == nil {
					streams = make([]bool, len(s.needs))
				}
				streams[i] = true
			}
		}
	}
	i := int32(len(a.p.Steps))
	a.p.Steps = append(a.p.Steps, s)
	a.p.Needs = append(a.p.Needs, needs)
	a.p.Timeouts = append(a.p.Timeouts, timeouts)
	if streams != nil {
		a.streams = append(a.streams, i)
		a.rows = append(a.rows, streams)
	}
	if s.Shared() {
		a.shared[s] = i
	}
	return i
}

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
	dependents := make([][]int32, n)
	for i, needs := range p.Needs {
		for _, d := range needs {
			dependents[d] = append(dependents[d], int32(i))
		}
	}
	below := soleReady(p.Needs, dependents)
	above := soleReady(dependents, p.Needs)
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

// soleReady runs Kahn's algorithm and returns, for each vertex that was the
// only one ready when its turn came, how many came after it; -1 for the others.
func soleReady(before, after [][]int32) []int32 {
	n := len(before)
	remaining := make([]int32, n)
	later := make([]int32, n)
	var ready []int32
	for i := range before {
		later[i] = -1
		remaining[i] = int32(len(before[i]))
		if remaining[i] == 0 {
			ready = append(ready, int32(i))
		}
	}
	for done := 0; done < len(ready); done++ {
		v := ready[done]
		if done+1 == len(ready) {
			later[v] = int32(n - done - 1)
		}
		for _, w := range after[v] {
			if remaining[w]--; remaining[w] == 0 {
				ready = append(ready, w)
			}
		}
	}
	return later
}
