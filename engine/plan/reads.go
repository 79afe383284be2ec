package plan

import (
	"context"
	"fmt"
	"reflect"
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

// findReads finds what a task reads of others: outputs that its texts name, and
// what is its stdin.
func (f *facts) findReads(t *schema.Task) {
	r := reader{f: f}
	r.processes(t.Processes)
	r.commands(t.Cmds)
	r.texts(r.text, t.Status...)
	r.texts(r.text, t.Prompt...)
	for _, p := range t.Preconditions {
		r.texts(r.text, p.Cmd, p.Msg)
	}
	r.variables(r.text, t.Env)
	f.late = len(f.outputs) > 0

	refuse := func(where string) func(schema.Text) {
		return func(text schema.Text) {
			if len(vars.OutputRefs(text.S)) > 0 {
				f.misplaced = append(f.misplaced, misplaced(fmt.Sprintf("task %q: ", t.Name), where, text.Pos))
			}
		}
	}
	r.variables(refuse("vars"), t.Vars)
	for _, p := range [...]struct {
		key   string
		texts []schema.Text
	}{{"dir", []schema.Text{t.Dir}}, {"if", []schema.Text{t.If}}, {"label", []schema.Text{t.Label}}, {"prefix", []schema.Text{t.Prefix}},
		{"method", []schema.Text{t.Method}}, {"run", []schema.Text{t.Run}}, {"dotenv", t.Dotenv}} {
		r.texts(refuse(p.key), p.texts...)
	}
	r.globs(refuse("sources"), t.Sources)
	r.globs(refuse("generates"), t.Generates)
	for _, q := range t.Requires {
		refuse("requires")(expression(q.Ref, q.Pos))
	}
	for i := range t.Deps {
		refuse("deps")(t.Deps[i].Text)
		r.variables(refuse("deps"), t.Deps[i].Vars)
	}
	for _, cs := range [...][]schema.Command{t.Deps, t.Cmds} {
		for i := range cs {
			if cs[i].For == nil {
				continue
			}
			for _, row := range cs[i].For.Matrix {
				refuse("for")(expression(row.Ref, row.Pos))
			}
		}
	}
}

// misplaced is what is wrong with {{output}} in a text that is computed too early.
func misplaced(about, where string, pos diag.Pos) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("%s{{output}} cannot stand in %s", about, where),
		Why: "that is computed before any need has run", Fix: "use it in cmds, env, stdin.text, status or preconditions"}
}

// expression is the text of a reference as the template that it is.
func expression(s string, pos diag.Pos) schema.Text {
	if s == "" {
		return schema.Text{}
	}
	return schema.Text{S: "{{" + s + "}}", Pos: pos}
}

// reader collects into f.
type reader struct{ f *facts }

func (r *reader) text(t schema.Text) {
	if !strings.Contains(t.S, "output") {
		return
	}
	for _, ref := range vars.OutputRefs(t.S) {
		r.f.outputs = append(r.f.outputs, outputName{ref, t.Pos})
	}
}

func (r *reader) texts(text func(schema.Text), ts ...schema.Text) {
	for _, t := range ts {
		text(t)
	}
}

func (r *reader) globs(text func(schema.Text), gs []schema.Glob) {
	for _, g := range gs {
		text(g.Pattern)
	}
}

// variables hands on what the values of vs are computed from.
func (r *reader) variables(text func(schema.Text), vs schema.Vars) {
	for i := range vs {
		switch v := &vs[i]; v.Kind {
		case schema.Static:
			r.value(text, v.Value, v.Pos)
		case schema.Dynamic:
			text(schema.Text{S: v.Text, Pos: v.Pos})
		case schema.Ref:
			text(expression(v.Text, v.Pos))
		}
	}
}

// value hands on the strings anywhere inside v.
func (r *reader) value(text func(schema.Text), v any, pos diag.Pos) {
	switch v := v.(type) {
	case string:
		text(schema.Text{S: v, Pos: pos})
	case []any:
		for _, x := range v {
			r.value(text, x, pos)
		}
	case map[string]any:
		for _, x := range v {
			r.value(text, x, pos)
		}
	}
}

func (r *reader) commands(cs []schema.Command) {
	for i := range cs {
		c := &cs[i]
		if c.Kind == schema.Shell || c.Kind == schema.Call {
			r.text(c.Text)
		}
		r.text(c.If)
		r.variables(r.text, c.Vars)
		if c.CommandOptions == nil {
			continue
		}
		for _, word := range c.Argv {
			r.text(word)
		}
		r.processes(c.Processes)
		r.commands(c.Members)
	}
}

func (r *reader) processes(p *schema.Processes) {
	if p == nil {
		return
	}
	r.text(p.Stop.Command)
	if in := p.Stdin; in != nil {
		switch in.Kind {
		case schema.StdinText, schema.StdinFile:
			r.text(in.Text)
		case schema.StdinFrom, schema.StdinOutput:
			r.f.streams = append(r.f.streams, in)
		}
	}
	for _, sinks := range [...][]schema.Sink{p.Stdout, p.Stderr} {
		for _, s := range sinks {
			r.text(s.File)
		}
	}
}

// resolveReads finds, among the needs of s, those whose outputs its texts name.
func (e *expansion) resolveReads(s *Step, f *facts) error {
	for _, name := range f.outputs {
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

// named reports whether s is what name means in a namespace: by its label, or by
// its name there.
func (s *Step) named(name, namespace string) bool {
	if s.Label == name || s.Name == name || s.Task.Name == name {
		return true
	}
	return namespace != "" && (s.Name == namespace+":"+name || s.Task.Name == namespace+":"+name)
}

// Reads returns the need whose outputs a text of s calls by name, or nil.
func (s *Step) Reads(name string) *Step {
	if s.bound == nil {
		return nil
	}
	return s.bound.reads[name]
}

// EachRead calls f with every need whose outputs texts of s name, in no order.
func (s *Step) EachRead(f func(*Step)) {
	if s.bound != nil {
		for _, n := range s.bound.reads {
			f(n)
		}
	}
}

// addReads adds the tasks whose output is the stdin of s, or of a command of it, to
// its needs, unless deps name them with the same variables.
func (e *expansion) addReads(ctx context.Context, s *Step, f *facts) error {
	for _, in := range f.streams {
		b := binder{ctx: ctx, scope: s.Scope}
		call := Call{Name: b.text(in.Text), Pos: in.Pos, From: s}
		if b.err == nil && len(in.Vars) > 0 {
			call.Vars, b.err = s.Scope.BindCall(ctx, in.Vars)
		}
		if b.err != nil {
			return b.err
		}
		known := s.read(call)
		if known == nil {
			step, err := e.expand(ctx, call)
			if err != nil {
				return Wrap(s.Label, err)
			}
			s.needs = append(s.needs, need{step: step})
			known = &s.needs[len(s.needs)-1]
		}
		if in.Kind == schema.StdinFrom {
			known.timeout = asStream
		}
		if known.step.Task.Interactive {
			return &diag.Diagnostic{Pos: in.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q reads what task %q writes, which is interactive", s.Name, known.step.Name),
				Why: "what that writes goes to the terminal", Fix: "remove interactive there"}
		}
	}
	return nil
}

// read returns the need that is call, or nil.
func (s *Step) read(call Call) *need {
	for i := range s.needs {
		n := &s.needs[i]
		if n.step.named(call.Name, "") && reflect.DeepEqual(values(n.step.args), values(call.Vars)) {
			return n
		}
	}
	return nil
}

// Read returns the need that is the stdin of s or of a command of it.
func (s *Step) Read(in *schema.Stdin) *Step {
	for i := range s.needs {
		if n := &s.needs[i]; n.step.named(in.Text.S, "") && (len(in.Vars) == 0 || len(n.step.args) > 0) {
			return n.step
		}
	}
	return nil
}
