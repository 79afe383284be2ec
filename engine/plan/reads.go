package plan

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// addRead records the need that has the output or port n.
func (b *bound) addRead(n *runtimeName, need *Step) {
	if b.running == nil {
		b.running = &running{}
	}
	of := &b.running.reads
	if n.Port {
		of = &b.running.portsOf
	}
	if *of == nil {
		*of = map[string]*Step{}
	}
	(*of)[n.Task] = need
}

// named reports whether name means s in a namespace: by its label, or by its
// name or an alias there.
func (s *Step) named(name, namespace string) bool {
	if s.Label == name || s.Name == name || s.Task.Name == name || slices.Contains(s.Task.Aliases, name) {
		return true
	}
	return namespace != "" && s.named(namespace+":"+name, "")
}

// Reads returns the need whose outputs a text of s calls by name, or nil.
func (s *Step) Reads(name string) *Step {
	return s.texts().more().reads[name]
}

// PortOwner returns the step whose port a text of s calls by the name of its task: a need, or s
// itself, as for "". nil: there is none.
func (s *Step) PortOwner(name string) *Step {
	if need := s.texts().more().portsOf[name]; need != nil {
		return need
	}
	if name == "" || s.calledSo(name) {
		return s
	}
	return nil
}

// calledSo reports whether name, in a text of s, means s itself.
func (s *Step) calledSo(name string) bool { return s.named(name, s.Task.Namespace()) }

// EachRead calls f with every need whose outputs texts of s name, in no order.
func (s *Step) EachRead(f func(*Step)) {
	for _, n := range s.texts().more().reads {
		f(n)
	}
}

// EachInput calls f with every need whose output, once it has ended, is the stdin of
// a command of s, each once.
func (s *Step) EachInput(f func(*Step)) {
	if s.facts.details.streams == nil {
		return
	}
	seen := map[*Step]bool{}
	var visit func(cs []Command)
	visit = func(cs []Command) {
		for i := range cs {
			if in := cs[i].Stdin; in != nil && in.Kind == StdinOutput {
				if n := s.Read(in); n != nil && !seen[n] {
					seen[n] = true
					f(n)
				}
			}
			visit(cs[i].Members)
		}
	}
	visit(s.commands())
}

// HasNeeds reports whether s needs other steps: those that deps name, that are read, or that
// get messages.
func (s *Step) HasNeeds() bool {
	return len(s.Task.Deps) > 0 || s.facts.details.streams != nil || s.facts.details.receivers != nil
}

// needOf returns the need of s that is a call of a task with some variables, at pos; it is added
// unless deps name it.
func (e *expansion) needOf(ctx context.Context, s *Step, task schema.Text, args schema.Vars, pos diag.Pos) (*need, error) {
	b := binder{ctx: ctx, scope: s.Scope}
	call := Call{Name: b.text(task), Vars: b.variables(args), Pos: pos, From: s}
	if b.err != nil {
		return nil, b.err
	}
	if known := s.read(call.Name, call.Vars); known != nil {
		return known, nil
	}
	step, err := e.expand(ctx, call)
	if err != nil {
		return nil, Wrap(s.Label, 0, err)
	}
	s.needs = append(s.needs, need{step: step})
	return &s.needs[len(s.needs)-1], nil
}

// addReads adds the tasks whose output is the stdin of s, or of a command of it, to
// its needs, unless deps name them with the same variables.
func (e *expansion) addReads(ctx context.Context, s *Step) error {
	for _, in := range s.facts.details.streams {
		known, err := e.needOf(ctx, s, in.Text, in.Vars, in.Pos)
		if err != nil {
			return err
		}
		if in.Kind == schema.StdinFrom {
			asked := terms{when: Together}
			if known.terms != nil {
				asked.limit = known.terms.limit
			}
			known.terms = &asked
		}
		if known.step.Serves && in.Kind == schema.StdinOutput {
			return schema.OutputOfService(s.Name, in.Pos, known.step.Name)
		}
		if known.step.Task.Interactive {
			return &diag.Diagnostic{Pos: in.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q reads the output of task %q, which is interactive", s.Name, known.step.Name),
				Why: "its output goes to the terminal", Fix: "remove interactive from that task"}
		}
	}
	return nil
}

// read returns the need that is a call of the task name with args, or nil.
func (s *Step) read(name string, args schema.Vars) *need {
	for i := range s.needs {
		n := &s.needs[i]
		if n.step.named(name, "") && reflect.DeepEqual(values(n.step.vars()), values(args)) {
			return n
		}
	}
	return nil
}

// Read returns the need that is the stdin of s or of a command of it.
func (s *Step) Read(in *Stdin) *Step { return s.meant(in.Text, in.Vars) }

// meant returns the need that is the task name called with vars.
func (s *Step) meant(name string, args schema.Vars) *Step {
	if n := s.read(name, args); n != nil {
		return n.step
	}
	for _, n := range s.needs {
		if n.step.named(name, "") && n.step.args != nil {
			return n.step // the variables differ every time, as {{uuid}} does
		}
	}
	return nil
}
