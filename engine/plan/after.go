package plan

import (
	"slices"
	"strings"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// addAfter makes the steps of p with `after` wait for the steps of the tasks named there that are
// part of the plan. Steps that a run has adopted are skipped. They must be few enough to be kept.
func (p *Plan) addAfter() error {
	var places map[string][]int32 // of steps, by the names that they may be called by
	for i, s := range p.Steps {
		if s.Task.Running == nil || s.Skip != NotSkipped || s.marks.Load()&adopted != 0 {
			continue
		}
		for _, name := range s.texts().more().after {
			if places == nil {
				places = p.places()
			}
			before := slices.Concat(places[name], places[labelled+s.withoutNamespace(name)])
			if err := limit.Grow(int64(len(before)) * needBytes); err != nil {
				return &LoopError{Task: s.Name, Pos: s.Task.Pos, What: err.Error()}
			}
			for _, j := range before {
				p.Needs[i] = append(p.Needs[i], Need{Step: j, When: After})
			}
		}
	}
	return nil
}

// needBytes is the approximate memory of a need of a plan, including the data for running it.
const needBytes = 64

// labelled is the prefix of labels among names.
const labelled = "\x00"

// withoutNamespace returns name, which an include may have put into the namespace of s, as it is
// written there: labels are in none.
func (s *Step) withoutNamespace(name string) string {
	return strings.TrimPrefix(name, s.Task.Namespace()+":")
}

// places returns the steps of p by all their names.
//
//go:noinline
func (p *Plan) places() map[string][]int32 {
	places := make(map[string][]int32, len(p.Steps))
	for i, s := range p.Steps {
		note := func(name string) {
			if at := places[name]; len(at) == 0 || at[len(at)-1] != int32(i) {
				places[name] = append(at, int32(i))
			}
		}
		note(s.Name)
		note(s.Task.Name)
		if s.Label != s.Name {
			note(labelled + s.Label)
		}
		for _, alias := range s.Task.Aliases {
			note(alias)
		}
	}
	return places
}

// afterPos returns the position in s of its `after` for the other step.
func (s *Step) afterPos(other *Step) diag.Pos {
	for i, name := range s.texts().more().after {
		if other.named(name, "") || other.Label == s.withoutNamespace(name) {
			return s.Task.Running.After[i].Pos
		}
	}
	return s.Task.Pos
}

// checkRunning reports a pool that is missing or too small, and names under `after` that no task
// has.
func (e *expansion) checkRunning(s *Step) error {
	w := e.x.o.Workflow
	if p := w.PoolProblem(s.Task); p != nil {
		return p
	}
	for i, name := range s.texts().more().after {
		if p := w.AfterProblem(s.Task, schema.Text{S: name, Pos: s.Task.Running.After[i].Pos}); p != nil {
			return p
		}
	}
	return nil
}
