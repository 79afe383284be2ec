package plan

import "slices"

// assemble numbers the steps below roots: depth first, as written, needs before dependents. A
// shared step occurs once; one that the run already knows occurs without its needs. steps is the
// expected number of steps, of which keyed are shared. The error is an order that no steps can be
// run in, or an address that two steps have.
func assemble(roots []*Step, steps, keyed int) (*Plan, error) {
	a := assembler{
		p:      &Plan{Steps: make([]*Step, 0, steps), Needs: make([][]Need, 0, steps)},
		shared: make(map[*Step]int32, keyed),
	}
	for _, r := range roots {
		a.p.Roots = append(a.p.Roots, a.add(r))
	}
	if a.running {
		if err := a.p.addAfter(); err != nil {
			return nil, err
		}
		if err := a.p.checkAddresses(); err != nil {
			return nil, err
		}
	}
	if a.together {
		a.p.Gangs = gangs(a.p)
	}
	if a.together || a.running {
		if err := a.p.checkOrder(); err != nil {
			return nil, err
		}
	}
	return a.p, nil
}

type assembler struct {
	p        *Plan
	shared   map[*Step]int32 // only steps with a key can be met twice
	together bool            // some need has the condition Together
	running  bool            // some task has keys about running
}

func (a *assembler) add(s *Step) int32 {
	if s.Shared() {
		if i, ok := a.shared[s]; ok {
			return i
		}
	}
	var needs []Need
	if len(s.needs) > 0 && s.marks.Load()&adopted == 0 {
		needs = make([]Need, len(s.needs))
		for i, n := range s.needs {
			if n.terms != nil && n.terms.messages {
				if j := slices.IndexFunc(s.needs[:i], func(other need) bool { return other.step == n.step }); j >= 0 {
					needs[i] = Need{Step: needs[j].Step, When: n.terms.when, Limit: n.terms.limit, Messages: true} // its stream is another need
					continue
				}
			}
			needs[i].Step = a.add(n.step)
			if n.terms != nil {
				needs[i].When, needs[i].Limit, needs[i].Messages = n.terms.when, n.terms.limit, n.terms.messages
				a.together = a.together || n.terms.when == Together
			}
		}
	}
	a.running = a.running || s.Task.Running != nil
	i := int32(len(a.p.Steps))
	a.p.Steps = append(a.p.Steps, s)
	a.p.Needs = append(a.p.Needs, needs)
	if s.Shared() {
		a.shared[s] = i
	}
	return i
}
