package schema

import (
	"slices"
	"strings"
)

// IsStack reports whether several services may be up at the same time in a run of the named
// tasks. It does not use values: a name that contains a template matches every task with the rest
// of that name, and commands that a condition may skip count.
func (w *Workflow) IsStack(names []string) bool {
	if !slices.ContainsFunc(w.Tasks, func(t *Task) bool { return t.Service() != nil }) {
		return false
	}
	s := stackSearch{w: w, seen: map[*Task]bool{}, services: map[calledService]struct{}{}}
	for _, name := range names {
		s.add(name, nil, false)
	}
	for len(s.queue) > 0 && !s.isStack() {
		next := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		EachText(next.task, func(p Place, name Text) {
			if p.Kind() != TextTask || p.Key == KeyAfter { // that never adds one
				return
			}
			var call *Command
			if p.Key == KeyTask && (len(p.Command.Vars) > 0 || IsTemplate(name.S)) {
				call = p.Command
			}
			s.add(name.S, call, call != nil && (next.repeated || call.For != nil))
		})
	}
	return s.isStack()
}

// stackSearch looks for services among the tasks that others need or call.
type stackSearch struct {
	w        *Workflow
	queue    []reached
	seen     map[*Task]bool // with whether it was reached as one that is repeated
	services map[calledService]struct{}
	repeated bool // a service is repeated
}

// reached is a task that is needed or called; repeated, with different variables.
type reached struct {
	task     *Task
	repeated bool
}

// calledService is a service, and the call that passes variables to it; nil: none are.
type calledService struct {
	task *Task
	call *Command
}

func (s *stackSearch) isStack() bool { return s.repeated || len(s.services) > 1 }

// add adds the tasks that a name means.
func (s *stackSearch) add(name string, call *Command, repeated bool) {
	if t, _, err := s.w.find(name); err == nil && t != nil {
		s.reach(t, call, repeated)
		return
	}
	parts := literalParts(name)
	if len(parts) == 1 || strings.Join(parts, "") == "" {
		return
	}
	for _, t := range s.w.Tasks {
		if inOrder(t.Name, parts) {
			s.reach(t, call, repeated)
		}
	}
}

func (s *stackSearch) reach(t *Task, call *Command, repeated bool) {
	if t.Service() != nil {
		s.repeated = s.repeated || repeated
		s.services[calledService{t, call}] = struct{}{}
	}
	before, seen := s.seen[t]
	if !seen || repeated && !before {
		s.seen[t] = repeated
		s.queue = append(s.queue, reached{t, repeated})
	}
}

// literalParts returns the parts before, between and after the templates of a name: one part if
// there are none.
func literalParts(name string) []string {
	var parts []string
	for {
		before, rest, ok := strings.Cut(name, "{{")
		parts = append(parts, before)
		if !ok {
			return parts
		}
		_, name, _ = strings.Cut(rest, "}}")
	}
}

// inOrder reports whether name begins with the first part, ends with the last, and has the
// others in order between them.
func inOrder(name string, parts []string) bool {
	rest, ok := strings.CutPrefix(name, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if ok {
			_, rest, ok = strings.Cut(rest, part)
		}
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}
