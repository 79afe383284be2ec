package plan

import (
	"fmt"
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

// checkGangs reports a gang with a member that needs the end of another: they are
// started together, so that end could never come first.
func (p *Plan) checkGangs() error {
	for _, g := range p.Gangs {
		in := make(map[int32]bool, len(g))
		for _, i := range g {
			in[i] = true
		}
		for _, i := range g {
			if path := p.wayBack(i, in); path != nil {
				names := make([]string, len(path))
				for n, s := range path {
					names[n] = fmt.Sprintf("%q", p.Steps[s].Label)
				}
				together := make([]string, len(g))
				for n, s := range g {
					together[n] = fmt.Sprintf("%q", p.Steps[s].Label)
				}
				return &diag.Diagnostic{Pos: p.Steps[i].Task.Pos, Kind: diag.Cycle,
					What: fmt.Sprintf("task %q waits for the end of a task that is started together with it", p.Steps[i].Label),
					Why: fmt.Sprintf("%s are started together, because they read each other's output; but %s needs %s",
						strings.Join(together, " and "), names[0], strings.Join(names[1:], ", which needs ")),
					Fix: "read the finished output instead: stdin: {output: …}"}
			}
		}
	}
	return nil
}

// wayBack returns the steps on a way from a member of a gang over needs to a member
// of it that is not only over streams, or nil.
func (p *Plan) wayBack(from int32, gang map[int32]bool) []int32 {
	seen := map[int32]bool{}
	var visit func(i int32) []int32
	visit = func(i int32) []int32 {
		if gang[i] {
			return []int32{i}
		}
		if seen[i] {
			return nil
		}
		seen[i] = true
		for _, n := range p.Needs[i] {
			if way := visit(n.Step); way != nil {
				return append([]int32{i}, way...)
			}
		}
		return nil
	}
	for _, n := range p.Needs[from] {
		if n.When == Together {
			continue
		}
		if way := visit(n.Step); way != nil {
			return append([]int32{from}, way...)
		}
	}
	return nil
}
