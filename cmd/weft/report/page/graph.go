package page

import "github.com/weftrun/weft/cmd/weft/report/model"

// mostPlaced is the maximum number of steps that are placed in the graph. A larger graph is shown
// by task only.
const mostPlaced = 5_000

// eachEdge calls f with the row of each step that s needs or calls, and the kind of the edge.
func (p *page) eachEdge(s *model.Step, f func(row int, kind int64)) {
	for _, n := range s.Needs {
		if need := p.run.Step(n.Step); need != nil && need != s {
			f(p.row[need], kind(n.Until))
		}
	}
	for _, id := range s.Called {
		// The list also contains the needs of called steps, which belong to those.
		if c := p.run.Step(id); c != nil && c.Parent == s.ID && c.Caller == s.ID {
			f(p.row[c], called)
		}
	}
}

// popular is the number of dependents from which on a step is referred to by its row.
const popular = 8

// needs writes the edges.
//
// An edge to a popular step is written as twice its row; other edges as four times the distance
// plus one, plus two more if it is behind. So most numbers are small or repeat.
func (p *page) needs(j *jsonWriter) {
	users := make([]int, len(p.run.Steps))
	for _, s := range p.run.Steps {
		p.eachEdge(s, func(row int, _ int64) { users[row]++ })
	}
	p.list(j, "needs", func(i int, s *model.Step, to []int64) []int64 {
		p.eachEdge(s, func(row int, _ int64) {
			switch {
			case users[row] >= popular:
				to = append(to, 2*int64(row))
			case row < i:
				to = append(to, 4*int64(i-row)+1)
			default:
				to = append(to, 4*int64(row-i)+3)
			}
		})
		return to
	})
	p.list(j, "kinds", func(_ int, s *model.Step, to []int64) []int64 {
		p.eachEdge(s, func(_ int, kind int64) { to = append(to, kind) })
		return to
	})
}

// places writes where each step stands in the graph. It reports whether each has a place.
func (p *page) places(j *jsonWriter) (layered bool) {
	if len(p.run.Steps) > mostPlaced {
		return false
	}
	needs := makeEdges(len(p.run.Steps), func(v int, add func(int)) {
		p.eachEdge(p.run.Steps[v], func(row int, _ int64) { add(row) })
	})
	layer, order := layout(needs)
	j.column("layer", true, wide(layer))
	j.column("order", true, wide(order))
	return true
}

// groups writes the tasks and their places in the graph of tasks.
func (p *page) groups(j *jsonWriter) {
	number := map[string]int{}
	var names []int64
	for _, s := range p.run.Steps {
		if _, ok := number[s.Name]; !ok {
			number[s.Name] = len(names)
			names = append(names, p.texts.line(s.Name))
		}
	}
	between := make([]map[int]struct{}, len(names))
	all := make([][]int, len(names)) // sorted, so that the page is reproducible
	for _, s := range p.run.Steps {
		from := number[s.Name]
		p.eachEdge(s, func(row int, _ int64) {
			to := number[p.run.Steps[row].Name]
			if _, ok := between[from][to]; ok {
				return
			}
			if between[from] == nil {
				between[from] = map[int]struct{}{}
			}
			between[from][to] = struct{}{}
			all[from] = append(all[from], to)
		})
	}
	layer, order := layout(makeEdges(len(names), func(v int, add func(int)) {
		for _, to := range all[v] {
			add(to)
		}
	}))
	j.raw(`,"groups":{"task":`)
	j.ints(names)
	j.raw(`,"layer":`)
	j.ints(wide(layer))
	j.raw(`,"order":`)
	j.ints(wide(order))
	j.raw("}")
}

func wide(all []int32) []int64 {
	to := make([]int64, len(all))
	for i, n := range all {
		to[i] = int64(n)
	}
	return to
}
