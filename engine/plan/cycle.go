package plan

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema"
)

// closesCycle reports the call of s if an equal call with equal arguments is among its ancestors,
// or if it is nested too deep for any sensible workflow.
func (e *expansion) closesCycle(s *Step) error {
	if s.depth > maxDepth {
		return &CycleError{Path: callers(s, eighth), Name: s.Name, Why: TooDeep}
	}
	if e.path[s.Task] == 0 {
		return nil
	}
	if e.path[s.Task] > maxRepeats {
		e.exploded = true // the paths of that depth are too many to report
		return &CycleError{Path: callers(s, eighth), Name: s.Name, Why: TooDeep}
	}
	for a := s.From; a != nil; a = a.From {
		if a.Task == s.Task && a.Name == s.Name && reflect.DeepEqual(values(a.vars()), values(s.vars())) {
			return &CycleError{Path: e.x.shorter(callers(s, func(_ int, p *Step) bool { return p == a }), s.Name), Name: s.Name, Pos: s.Pos}
		}
	}
	return nil
}

// eighth ends a path that is too long to be shown whole.
func eighth(n int, _ *Step) bool { return n == 8 }

// shorter drops unnecessary steps of a cycle.
func (x *Expander) shorter(path []*Step, name string) []*Step {
	way := shortestCycle(x.o.Workflow, path, name)
	if way == nil {
		return path
	}
	var kept []*Step
	for _, n := range way {
		if i := slices.IndexFunc(path, func(s *Step) bool { return s.Name == n }); i >= 0 {
			kept = append(kept, path[i])
		}
	}
	return kept
}

// eachCycleOnce drops the problems that are a cycle reported before: it is found on every path into
// it.
func eachCycleOnce(problems []error) []error {
	seen := map[string]bool{}
	return slices.DeleteFunc(problems, func(p error) bool {
		c, ok := errors.AsType[*CycleError](p)
		if !ok || c.Why == StepLimit {
			return false
		}
		names := make([]string, len(c.Path))
		for i, s := range c.Path {
			names[i] = s.Name
		}
		slices.Sort(names)
		key := strings.Join(names, "\x00")
		known := seen[key]
		seen[key] = true
		return known
	})
}

// values are the arguments of a call without their positions.
//
//go:noinline
func values(vs schema.Vars) map[string]any {
	if len(vs) == 0 {
		return nil
	}
	m := make(map[string]any, len(vs))
	for _, v := range vs {
		m[v.Name] = [3]any{v.Kind, v.Value, v.Text}
	}
	return m
}

// callers returns the nearest callers of s, the outermost first: up to one that is the last.
func callers(s *Step, last func(n int, caller *Step) bool) []*Step {
	var path []*Step
	for p := s.From; p != nil; p = p.From {
		if path = append(path, p); last(len(path), p) {
			break
		}
	}
	slices.Reverse(path)
	return path
}
