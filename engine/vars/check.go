package vars

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// CheckTemplates reports the templates and references of a workflow that could
// never be expanded, whatever the variables are: they are not well formed, or
// call functions that are not there. Each text is reported once.
func CheckTemplates(w *schema.Workflow) diag.List {
	c := templateChecker{seen: map[placed]bool{}, includes: map[*schema.Include]bool{}}
	c.text("", w.Output.Begin)
	c.text("", w.Output.End)
	c.texts("", w.Method, w.Run)
	c.texts("", w.Dotenv...)
	c.vars("", w.Vars)
	c.vars("", w.Env)
	for _, t := range w.Tasks {
		c.task(t)
	}
	return c.list
}

type templateChecker struct {
	list diag.List
	seen map[placed]bool
	// includes are those whose variables were checked: all tasks of a file share one.
	includes map[*schema.Include]bool
}

// placed is a text at its place.
type placed struct {
	pos  diag.Pos
	text string
}

func (c *templateChecker) task(t *schema.Task) {
	about := fmt.Sprintf("task %q: ", t.Name)
	c.texts(about, t.Desc, t.Summary, t.Label, t.Prefix, t.Dir, t.Run, t.Method, t.If)
	c.texts(about, t.Dotenv...)
	c.texts(about, t.Status...)
	c.texts(about, t.Prompt...)
	c.vars(about, t.Vars)
	c.vars(about, t.Env)
	if t.Include != nil && !c.includes[t.Include] {
		c.includes[t.Include] = true
		c.vars("", t.Include.Vars)
		c.vars("", t.Include.FileVars)
	}
	for _, globs := range [...][]schema.Glob{t.Sources, t.Generates} {
		for _, g := range globs {
			c.text(about, g.Pattern)
		}
	}
	for _, p := range t.Preconditions {
		c.texts(about, p.Cmd, p.Msg)
	}
	c.processes(about, t.Processes)
	for _, o := range t.Outputs {
		c.text(about, o.From)
	}
	for _, r := range t.Requires {
		c.reference(about, r.Ref, r.Pos)
	}
	c.commands(about, t.Deps)
	c.commands(about, t.Cmds)
}

func (c *templateChecker) commands(about string, commands []schema.Command) {
	for i := range commands {
		cmd := &commands[i]
		if cmd.Kind == schema.Shell || cmd.Kind == schema.Call {
			c.text(about, cmd.Text)
		}
		c.text(about, cmd.If)
		c.texts(about, cmd.Argv...)
		c.processes(about, cmd.Processes)
		c.vars(about, cmd.Vars)
		c.commands(about, cmd.Members)
		if cmd.For != nil {
			for _, row := range cmd.For.Matrix {
				c.reference(about, row.Ref, row.Pos)
			}
		}
	}
}

func (c *templateChecker) processes(about string, p *schema.Processes) {
	if p == nil {
		return
	}
	c.text(about, p.Stop.Command)
	if p.Stdin != nil {
		c.text(about, p.Stdin.Text)
		c.vars(about, p.Stdin.Vars)
	}
	for _, sinks := range [...][]schema.Sink{p.Stdout, p.Stderr} {
		for _, s := range sinks {
			c.text(about, s.File)
		}
	}
}

func (c *templateChecker) texts(about string, texts ...schema.Text) {
	for _, t := range texts {
		c.text(about, t)
	}
}

func (c *templateChecker) text(about string, t schema.Text) {
	if isTemplate(t.S) {
		c.check(about, "template", t.S, t.Pos, false)
	}
}

func (c *templateChecker) reference(about, expression string, pos diag.Pos) {
	if expression != "" {
		c.check(about, "reference", expression, pos, true)
	}
}

func (c *templateChecker) vars(about string, vs schema.Vars) {
	for i := range vs {
		v := &vs[i]
		about := fmt.Sprintf("%svariable %q: ", about, v.Name)
		switch v.Kind {
		case schema.Static:
			c.value(about, v.Value, v.Pos)
		case schema.Dynamic:
			c.text(about, schema.Text{S: v.Text, Pos: v.Pos})
		case schema.Ref:
			c.reference(about, v.Text, v.Pos)
		}
	}
}

// value looks into lists and maps, too.
func (c *templateChecker) value(about string, v any, pos diag.Pos) {
	switch v := v.(type) {
	case string:
		c.text(about, schema.Text{S: v, Pos: pos})
	case []any:
		for _, item := range v {
			c.value(about, item, pos)
		}
	case map[string]any:
		for _, item := range v {
			c.value(about, item, pos)
		}
	}
}

func (c *templateChecker) check(about, what, text string, pos diag.Pos, reference bool) {
	key := placed{pos, text}
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	template := text
	if reference {
		template = "{{" + text + "}}"
	}
	t := newTemplate(template, reference)
	t.compile()
	if t.err == nil {
		return
	}
	var bad *TemplateError
	why := t.err.Error()
	if errors.As(t.err, &bad) {
		why = bad.Err.Error()
	}
	c.list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.Other, What: fmt.Sprintf("%s%s cannot be parsed: %s", about, what, shortReason(why))})
}

// shortReason drops what the engine puts before a reason: its own name and a
// line within the text, which means nothing beside the position in the file.
func shortReason(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "template: "), "resolver")
	return strings.TrimLeft(s, ":0123456789 ")
}
