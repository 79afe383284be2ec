package plan

// assemble numbers the steps below roots: depth first, as written, needs before
// what needs them. A shared step stands once; one that the run knows already
// stands without its needs. There are about so many steps, of which keyed are shared.
// The error is a stream that could never flow.
func assemble(roots []*Step, steps, keyed int) (*Plan, error) {
	a := assembler{
		p:      &Plan{Steps: make([]*Step, 0, steps), Needs: make([][]Need, 0, steps)},
		shared: make(map[*Step]int32, keyed),
	}
	for _, r := range roots {
		a.p.Roots = append(a.p.Roots, a.add(r))
	}
	if !a.together {
		return a.p, nil
	}
	a.p.Gangs = gangs(a.p)
	if err := a.p.checkGangs(); err != nil {
		return nil, err
	}
	return a.p, nil
}

type assembler struct {
	p        *Plan
	shared   map[*Step]int32 // only steps with a key can be met twice
	together bool            // some need has the condition Together
}

func (a *assembler) add(s *Step) int32 {
	if s.Shared() {
		if i, ok := a.shared[s]; ok {
			return i
		}
	}
	var needs []Need
	if len(s.needs) > 0 && !s.known.Load() {
		needs = make([]Need, len(s.needs))
		for i, n := range s.needs {
			needs[i].Step = a.add(n.step)
			if n.terms != nil {
				needs[i].When, needs[i].Limit = n.terms.when, n.terms.limit
				a.together = a.together || n.terms.when == Together
			}
		}
	}
	i := int32(len(a.p.Steps))
	a.p.Steps = append(a.p.Steps, s)
	a.p.Needs = append(a.p.Needs, needs)
	if s.Shared() {
		a.shared[s] = i
	}
	return i
}
