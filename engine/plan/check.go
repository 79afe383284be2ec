package plan

import (
	"fmt"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// CheckOutputs reports the texts of a workflow that name outputs of tasks where
// there can be none, each once.
func CheckOutputs(w *schema.Workflow) diag.List {
	c := outputChecker{seen: map[string]bool{}, includes: map[*schema.Include]bool{}}
	c.variables("", inVars, w.Vars)
	c.variables("", "global env", w.Env)
	c.texts("", "dotenv", w.Dotenv...)
	c.texts("", "output", w.Output.Begin, w.Output.End)
	c.texts("", "method", w.Method)
	c.texts("", "run", w.Run)
	for _, t := range w.Tasks {
		c.task(t)
	}
	return c.list
}

type outputChecker struct {
	list diag.List
	seen map[string]bool // places: a file may be included more than once

	includes map[*schema.Include]bool // those that were looked at: tasks share them
}

func (c *outputChecker) task(t *schema.Task) {
	var f facts
	f.findReads(t)
	for _, d := range f.misplaced {
		c.add(d)
	}
	about := fmt.Sprintf("task %q: ", t.Name)
	c.texts(about, "desc", t.Desc)
	c.texts(about, "summary", t.Summary)
	if t.Include != nil && !c.includes[t.Include] {
		c.includes[t.Include] = true
		c.variables("", "vars of an include", t.Include.Vars)
		c.variables("", inVars, t.Include.FileVars)
	}
	for _, cs := range [...][]schema.Command{t.Deps, t.Cmds} {
		for i := range cs {
			if cs[i].For != nil {
				c.items(about, cs[i].For)
			}
		}
	}
}

// items looks at the list of a loop, whose items are no templates: the text would
// be taken as it is written.
func (c *outputChecker) items(about string, f *schema.For) {
	textVisitor{func(_ where, t schema.Text) {
		if len(vars.OutputRefs(t.S)) > 0 {
			c.add(&diag.Diagnostic{Pos: t.Pos, Kind: diag.Other, What: about + "{{output}} cannot stand in the list of a for",
				Why: "the items of a list are no templates", Fix: "loop in the command itself, as in: for x in {{output …}}; do …; done"})
		}
	}}.value(inFor, f.List, f.Pos)
}

func (c *outputChecker) texts(about string, in where, ts ...schema.Text) {
	for _, t := range ts {
		if len(vars.OutputRefs(t.S)) > 0 {
			c.add(misplaced(about, in, t.Pos))
		}
	}
}

func (c *outputChecker) variables(about string, in where, vs schema.Vars) {
	textVisitor{func(in where, t schema.Text) { c.texts(about, in, t) }}.variables(in, vs)
}

func (c *outputChecker) add(d *diag.Diagnostic) {
	if key := d.Pos.String(); !c.seen[key] {
		c.seen[key] = true
		c.list.Add(d)
	}
}
