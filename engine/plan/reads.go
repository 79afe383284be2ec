package plan

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// outputName is a task that a text names in {{output "…"}}.
type outputName struct {
	vars.OutputRef
	pos diag.Pos
}

// mayNameOutputs reports whether texts of tasks in f may name outputs: whether the word
// stands there, or may be hidden by an escape of YAML. It spares most workflows a look at
// each text. nil may be any file.
func mayNameOutputs(f *diag.File) bool {
	if f == nil || f.Source == "" {
		return true
	}
	signs := []string{"output", `\x`, `\u`, `\U`, "!!binary"}
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(f.Source, sign) })
}

// someNameOutputs reports whether texts of some task may name outputs.
func someNameOutputs(w *schema.Workflow) bool {
	var last *diag.File
	for i, t := range w.Tasks {
		if (i == 0 || t.File != last) && mayNameOutputs(t.File) {
			return true
		}
		last = t.File
	}
	return false
}

// misplaced is what is wrong with {{output}} in the text at p, which names one; nil if
// nothing is.
func misplaced(p *schema.Place, text schema.Text) *diag.Diagnostic {
	when := phaseOf(p)
	if p.Task != nil && (when >= body || p.Key == schema.KeyEnv) {
		return nil
	}
	about := ""
	if p.Task != nil {
		about = fmt.Sprintf("task %q: ", p.Task.Name)
	}
	in, _, _ := strings.Cut(p.Key.String(), ".")
	switch {
	case p.Kind() == schema.TextLiteral:
		return &diag.Diagnostic{Pos: text.Pos, Kind: diag.Other, What: about + "{{output}} cannot stand in the list of a for",
			Why: "the items of a list are no templates", Fix: "loop in the command itself, as in: for x in {{output …}}; do …; done"}
	case p.Key == schema.KeyIncludeVars:
		in = "vars of an include"
	case p.Task == nil && p.Key == schema.KeyEnv:
		in = "global env"
	case when == needed:
		in = "deps"
	}
	return &diag.Diagnostic{Pos: text.Pos, Kind: diag.Other, What: fmt.Sprintf("%s{{output}} cannot stand in %s", about, in),
		Why: "that is computed before any need has run", Fix: "use it in cmds, env, stdin.text, status or preconditions"}
}

// resolveReads finds, among the needs of s, those whose outputs its texts name.
func (e *expansion) resolveReads(s *Step) error {
	for _, name := range s.facts.details.outputs {
		if !name.Literal {
			return &diag.Diagnostic{Pos: name.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: {{output}} names a task that is not known before it runs", s.Name),
				Fix: `write the name itself, as in {{output "version"}}`}
		}
		if s.bound.reads[name.Task] != nil {
			continue
		}
		var found *Step
		for _, n := range s.needs {
			if !n.step.named(name.Task, s.Task.Namespace) || n.step == found {
				continue
			}
			if found != nil {
				return &diag.Diagnostic{Pos: name.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: it has two needs named %q", s.Name, name.Task),
					Why: "so {{output}} does not tell which of them is meant", Fix: "give the task a label that holds what tells them apart, and name that"}
			}
			found = n.step
		}
		if found == nil {
			return &diag.Diagnostic{Pos: name.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: {{output %q}} names no need of this task", s.Name, name.Task),
				Why: "the outputs of a task are known when it has run, and only needs are certain to have", Fix: fmt.Sprintf("add %q to deps", name.Task)}
		}
		if found.Task.Interactive {
			return &diag.Diagnostic{Pos: name.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: {{output %q}}: that task is interactive", s.Name, name.Task),
				Why: "what it writes goes to the terminal", Fix: "remove interactive there"}
		}
		if name.Name != "" && len(found.Task.Outputs) == 0 {
			return &diag.Diagnostic{Pos: name.pos, Kind: diag.Other, What: fmt.Sprintf("task %q: {{output %q %q}}: that task has no outputs", s.Name, name.Task, name.Name),
				Fix: fmt.Sprintf("declare it there: outputs: {%s: {from: stdout}}", name.Name)}
		}
		if s.bound.reads == nil {
			s.bound.reads = map[string]*Step{}
		}
		s.bound.reads[name.Task] = found
	}
	return nil
}

// named reports whether s is what name means in a namespace: by its label, or by its
// name or an alias there.
func (s *Step) named(name, namespace string) bool {
	if s.Label == name || s.Name == name || s.Task.Name == name || slices.Contains(s.Task.Aliases, name) {
		return true
	}
	return namespace != "" && s.named(namespace+":"+name, "")
}

// Reads returns the need whose outputs a text of s calls by name, or nil.
func (s *Step) Reads(name string) *Step {
	return s.texts().reads[name]
}

// EachRead calls f with every need whose outputs texts of s name, in no order.
func (s *Step) EachRead(f func(*Step)) {
	for _, n := range s.texts().reads {
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

// HasNeeds reports whether s needs other steps: those that deps name, or that are read.
func (s *Step) HasNeeds() bool { return len(s.Task.Deps) > 0 || s.facts.details.streams != nil }

// addReads adds the tasks whose output is the stdin of s, or of a command of it, to
// its needs, unless deps name them with the same variables.
func (e *expansion) addReads(ctx context.Context, s *Step) error {
	for _, in := range s.facts.details.streams {
		b := binder{ctx: ctx, scope: s.Scope}
		call := Call{Name: b.text(in.Text), Vars: b.variables(in.Vars), Pos: in.Pos, From: s}
		if b.err != nil {
			return b.err
		}
		known := s.read(call.Name, call.Vars)
		if known == nil {
			step, err := e.expand(ctx, call)
			if err != nil {
				return Wrap(s.Label, 0, err)
			}
			s.needs = append(s.needs, need{step: step})
			known = &s.needs[len(s.needs)-1]
		}
		if in.Kind == schema.StdinFrom {
			asked := terms{when: Together}
			if known.terms != nil {
				asked.limit = known.terms.limit
			}
			known.terms = &asked
		}
		if known.step.Task.Interactive {
			return &diag.Diagnostic{Pos: in.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q reads what task %q writes, which is interactive", s.Name, known.step.Name),
				Why: "what that writes goes to the terminal", Fix: "remove interactive there"}
		}
	}
	return nil
}

// read returns the need that is a call of the task name with args, or nil.
func (s *Step) read(name string, args schema.Vars) *need {
	for i := range s.needs {
		n := &s.needs[i]
		if n.step.named(name, "") && reflect.DeepEqual(values(n.step.args), values(args)) {
			return n
		}
	}
	return nil
}

// Read returns the need that is the stdin of s or of a command of it.
func (s *Step) Read(in *Stdin) *Step {
	if n := s.read(in.Text, in.Vars); n != nil {
		return n.step
	}
	for _, n := range s.needs {
		if n.step.named(in.Text, "") && len(n.step.args) > 0 {
			return n.step // what is passed is something else every time, as {{uuid}} is
		}
	}
	return nil
}

// CheckOutputs reports the texts of a workflow that name outputs of tasks where
// there can be none, each once.
func CheckOutputs(w *schema.Workflow) (list diag.List) {
	seen := map[diag.Pos]bool{} // a file may be included more than once
	check := func(p schema.Place, text schema.Text) {
		if len(outputRefs(&p, text.S)) == 0 {
			return
		}
		if d := misplaced(&p, text); d != nil && !seen[d.Pos] {
			seen[d.Pos] = true
			list.Add(d)
		}
	}
	schema.EachSharedText(w, check)
	for _, t := range w.Tasks {
		schema.EachText(t, check)
	}
	return list
}
