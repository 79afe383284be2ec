package plan

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// gangs returns the sets of steps that streams connect.
func gangs(p *Plan) [][]int32 {
	// Union-find: each step points to another of its set, the root to itself.
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
	for i, row := range p.Streams {
		for j, stream := range row {
			if stream {
				set[find(p.Needs[i][j])] = find(int32(i))
			}
		}
	}
	members := map[int32][]int32{}
	var order []int32
	for i := range set {
		root := find(int32(i))
		if members[root] == nil {
			order = append(order, root)
		}
		members[root] = append(members[root], int32(i))
	}
	var out [][]int32
	for _, root := range order {
		if len(members[root]) > 1 {
			out = append(out, members[root])
		}
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
			if way := visit(n); way != nil {
				return append([]int32{i}, way...)
			}
		}
		return nil
	}
	for j, n := range p.Needs[from] {
		if row := p.Streams[from]; row != nil && row[j] {
			continue
		}
		if way := visit(n); way != nil {
			return append([]int32{from}, way...)
		}
	}
	return nil
}
