package plan

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
