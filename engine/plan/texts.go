package plan

import (
	"strconv"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// where is the part of a task that a text stands in: the name of the key.
type where string

const (
	inCmds          where = "cmds"
	inDeps          where = "deps"
	inEnv           where = "env"
	inFor           where = "for"
	inOutputs       where = "outputs"
	inPreconditions where = "preconditions"
	inPrompt        where = "prompt"
	inRequires      where = "requires"
	inStatus        where = "status"
	inVars          where = "vars"
)

// eachText calls do with every text of t that is expanded when its step is planned or
// runs: templates, references as the templates that they are, and names of
// variables as references to them.
func eachText(t *schema.Task, do func(where, schema.Text)) {
	v := textVisitor{do}
	v.commands(inCmds, t.Cmds)
	v.variables(inEnv, t.Env)
	v.variables(inVars, t.Vars)
	v.texts("dir", t.Dir)
	v.texts("dotenv", t.Dotenv...)
	if t.HasOptions() {
		v.options(t)
	}
	v.commands(inDeps, t.Deps)
}

type textVisitor struct{ do func(where, schema.Text) }

func (v textVisitor) texts(in where, ts ...schema.Text) {
	for _, t := range ts {
		if isTemplate(t.S) {
			v.do(in, t)
		}
	}
}

// options visits what most tasks leave out.
func (v textVisitor) options(t *schema.Task) {
	v.processes(t.Processes)
	v.texts(inStatus, t.Status...)
	v.texts(inPrompt, t.Prompt...)
	for i := range t.Preconditions {
		v.texts(inPreconditions, t.Preconditions[i].Cmd, t.Preconditions[i].Msg)
	}
	for i := range t.Outputs {
		v.texts(inOutputs, t.Outputs[i].From)
	}
	v.texts("if", t.If)
	v.texts("label", t.Label)
	v.texts("prefix", t.Prefix)
	v.texts("method", t.Method)
	v.texts("run", t.Run)
	v.globs("sources", t.Sources)
	v.globs("generates", t.Generates)
	for i := range t.Requires {
		r := &t.Requires[i]
		v.texts(inRequires, expression(r.Ref, r.Pos))
		if r.Ref != "" || r.Enum != nil {
			v.texts(inRequires, nameOf(r.Name, r.Pos))
		}
	}
}

func (v textVisitor) globs(in where, gs []schema.Glob) {
	for i := range gs {
		v.texts(in, gs[i].Pattern)
	}
}

// commands visits cmds or deps.
func (v textVisitor) commands(in where, cs []schema.Command) {
	for i := range cs {
		c := &cs[i]
		if c.Kind == schema.Shell || c.Kind == schema.Call {
			v.texts(in, c.Text)
		}
		v.variables(in, c.Vars)
		if !c.HasOptions() {
			continue
		}
		v.texts(in, c.If)
		v.texts(in, c.Argv...)
		v.processes(c.Processes)
		v.commands(in, c.Members)
		if c.For == nil {
			continue
		}
		if c.For.Var != "" {
			v.texts(inFor, nameOf(c.For.Var, c.For.Pos))
		}
		for _, row := range c.For.Matrix {
			v.texts(inFor, expression(row.Ref, row.Pos))
		}
	}
}

func (v textVisitor) processes(p *schema.Processes) {
	if p == nil {
		return
	}
	v.texts(inCmds, p.Stop.Command)
	if in := p.Stdin; in != nil {
		at := inCmds
		if in.Kind == schema.StdinFrom || in.Kind == schema.StdinOutput {
			at = inDeps // it names a need
		}
		v.texts(at, in.Text)
		v.variables(at, in.Vars)
	}
	for _, sinks := range [...][]schema.Sink{p.Stdout, p.Stderr} {
		for i := range sinks {
			v.texts(inCmds, sinks[i].File)
		}
	}
}

// variables visits what the values of vs are computed from.
func (v textVisitor) variables(in where, vs schema.Vars) {
	for i := range vs {
		switch x := &vs[i]; x.Kind {
		case schema.Static:
			v.value(in, x.Value, x.Pos)
		case schema.Dynamic:
			v.texts(in, schema.Text{S: x.Text, Pos: x.Pos})
		case schema.Ref:
			v.texts(in, expression(x.Text, x.Pos))
		}
	}
}

// value visits the strings anywhere inside x.
func (v textVisitor) value(in where, x any, pos diag.Pos) {
	switch x := x.(type) {
	case string:
		v.texts(in, schema.Text{S: x, Pos: pos})
	case []any:
		for _, item := range x {
			v.value(in, item, pos)
		}
	case map[string]any:
		for _, item := range x {
			v.value(in, item, pos)
		}
	}
}

// expression is the text of a reference as the template that it is.
func expression(s string, pos diag.Pos) schema.Text {
	if s == "" {
		return schema.Text{}
	}
	return schema.Text{S: "{{" + s + "}}", Pos: pos}
}

// nameOf is the name of a variable as a template that refers to it.
func nameOf(name string, pos diag.Pos) schema.Text {
	return expression("index . "+strconv.Quote(name), pos)
}
