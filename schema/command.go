package schema

import (
	"gopkg.in/yaml.v3"
)

// entry is a command as its map says it, before it is known what it is.
type entry struct {
	Command
	cmd, task, deferred *yaml.Node
	vars                *yaml.Node
}

var commandKeys = newTable("a command", func() []key[entry] {
	return []key[entry]{
		{"cmd", "#string", "The script.", func(d *decoder, e *entry, n *yaml.Node) { e.cmd = n }},
		{"task", "#string", "A task to call.", func(d *decoder, e *entry, n *yaml.Node) { e.task = n }},
		{"defer", `{"anyOf":[{"type":"string"},{"type":"object"}]}`, "Runs when the task ends, however it ends.", func(d *decoder, e *entry, n *yaml.Node) { e.deferred = n }},
		{"vars", "#vars", "Variables given to the called task.", func(d *decoder, e *entry, n *yaml.Node) { e.vars = n }},
		{"if", "#string", "A command; this one is skipped when it fails.", func(d *decoder, e *entry, n *yaml.Node) { e.If = d.text(n, "if") }},
		{"for", "#for", "Repeats the command.", func(d *decoder, e *entry, n *yaml.Node) { e.For = d.loop(n) }},
		{"silent", "#bool", "Do not announce it.", func(d *decoder, e *entry, n *yaml.Node) { e.Silent = d.bool(n, "silent") }},
		{"ignore_error", "#bool", "Go on when it fails.", func(d *decoder, e *entry, n *yaml.Node) { e.IgnoreError = d.bool(n, "ignore_error") }},
		{"platforms", "#strings", "Where it runs at all.", func(d *decoder, e *entry, n *yaml.Node) { e.Platforms = d.platforms(n) }},
		{"set", "#strings", "POSIX shell options.", func(d *decoder, e *entry, n *yaml.Node) { e.Set = d.strings(n, "set") }},
		{"shopt", "#strings", "Bash shell options.", func(d *decoder, e *entry, n *yaml.Node) { e.Shopt = d.strings(n, "shopt") }},
		{"timeout", "#duration", "How long it may take.", func(d *decoder, e *entry, n *yaml.Node) { e.Timeout = d.duration(n, "timeout", true) }},
	}
})

// commands reads the list of a task's commands.
func (d *decoder) commands(n *yaml.Node, what string) []Command {
	n = d.follow(n)
	if n.Kind != yaml.SequenceNode {
		d.each(n, what, nil)
		return nil
	}
	cs := make([]Command, 0, len(n.Content))
	d.each(n, what, func(item *yaml.Node) {
		if c, ok := d.command(item); ok {
			cs = append(cs, c)
		}
	})
	return cs
}

// single reads `cmd`.
func (d *decoder) single(n *yaml.Node) []Command {
	n = d.follow(n)
	if isNull(n) {
		return nil
	}
	if c, ok := d.command(n); ok {
		return []Command{c}
	}
	return nil
}

func (d *decoder) command(n *yaml.Node) (Command, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return Command{Pos: d.pos(n), Text: d.text(n, "a command")}, true
	case yaml.MappingNode:
	default:
		d.problem(n, "a command must be a string or a map, not "+kindOf(n), "")
		return Command{}, false
	}
	e := entry{Command: Command{Pos: d.pos(n)}}
	commandKeys.decode(d, n, &e)
	switch {
	case e.deferred != nil:
		return d.deferral(n, &e)
	case e.task != nil:
		e.Kind = Call
		e.Text = d.text(e.task, "task")
		if e.vars != nil {
			e.Vars = d.vars(e.vars, "vars")
		}
	case e.cmd != nil:
		e.Text = d.text(e.cmd, "cmd")
	default:
		d.problem(n, "invalid keys in command", "a command is a string or a map with one of cmd, task and defer")
		return Command{}, false
	}
	return e.Command, true
}

// deferral reads a `defer`; what stands beside it and has no effect there is
// said to have none.
func (d *decoder) deferral(n *yaml.Node, e *entry) (Command, bool) {
	c := Command{Pos: e.Pos, Defer: true, Silent: e.Silent, Timeout: e.Timeout}
	d.pairs(n, func(k, _ *yaml.Node) {
		switch k.Value {
		case "if", "for", "ignore_error", "set", "shopt", "platforms":
			d.warnIneffective(k)
		}
	})
	inner := d.follow(e.deferred)
	switch inner.Kind {
	case yaml.ScalarNode:
		c.Text = d.text(inner, "defer")
		return c, true
	case yaml.MappingNode:
	default:
		d.problem(inner, "defer must be a command or {task: …}, not "+kindOf(inner), "")
		return c, false
	}
	var call entry
	deferKeys.decode(d, inner, &call)
	if call.task == nil {
		d.problem(inner, "invalid keys in command", "a deferred map must have the key \"task\"")
		return c, false
	}
	c.Kind = Call
	c.Text = d.text(call.task, "task")
	c.Silent = c.Silent || call.Silent
	if call.vars != nil {
		c.Vars = d.vars(call.vars, "vars")
	}
	return c, true
}

var deferKeys = newTable("defer", func() []key[entry] {
	return []key[entry]{
		{"task", "#string", "", func(d *decoder, e *entry, n *yaml.Node) { e.task = n }},
		{"vars", "#vars", "", func(d *decoder, e *entry, n *yaml.Node) { e.vars = n }},
		{"silent", "#bool", "", func(d *decoder, e *entry, n *yaml.Node) { e.Silent = d.bool(n, "silent") }},
		{"timeout", "", "", func(d *decoder, e *entry, n *yaml.Node) {
			d.problem(n, "timeout cannot stand inside defer", "put it beside defer")
		}},
	}
})

// deps reads the list of dependencies.
func (d *decoder) deps(n *yaml.Node) []Command {
	n = d.follow(n)
	if n.Kind != yaml.SequenceNode {
		d.each(n, "deps", nil)
		return nil
	}
	deps := make([]Command, 0, len(n.Content))
	d.each(n, "deps", func(item *yaml.Node) {
		switch item.Kind {
		case yaml.ScalarNode:
			deps = append(deps, Command{Pos: d.pos(item), Kind: Call, Text: d.text(item, "a dependency")})
		case yaml.MappingNode:
			e := entry{Command: Command{Pos: d.pos(item), Kind: Call}}
			depKeys.decode(d, item, &e)
			if e.task == nil {
				d.problem(item, "a dependency must name a task", "write `- task: NAME`")
				return
			}
			e.Text = d.text(e.task, "task")
			if e.vars != nil {
				e.Vars = d.vars(e.vars, "vars")
			}
			deps = append(deps, e.Command)
		default:
			d.problem(item, "a dependency must be a name or a map, not "+kindOf(item), "")
		}
	})
	return deps
}

var depKeys = newTable("a dependency", func() []key[entry] {
	return []key[entry]{
		{"task", "#string", "The task that must run before.", func(d *decoder, e *entry, n *yaml.Node) { e.task = n }},
		{"vars", "#vars", "Variables given to it.", func(d *decoder, e *entry, n *yaml.Node) { e.vars = n }},
		{"silent", "#bool", "Do not announce it.", func(d *decoder, e *entry, n *yaml.Node) { e.Silent = d.bool(n, "silent") }},
		{"for", "#for", "Repeats the dependency.", func(d *decoder, e *entry, n *yaml.Node) { e.For = d.loop(n) }},
		{"timeout", "#duration", "How long it may take.", func(d *decoder, e *entry, n *yaml.Node) { e.Timeout = d.duration(n, "timeout", true) }},
	}
})

// loop reads a `for`.
func (d *decoder) loop(n *yaml.Node) *For {
	n = d.follow(n)
	f := &For{Pos: d.pos(n)}
	switch n.Kind {
	case yaml.ScalarNode:
		f.From = d.text(n, "for").S
	case yaml.SequenceNode:
		f.List = d.value(n).([]any)
	case yaml.MappingNode:
		forKeys.decode(d, n, f)
		if (f.Var != "") == (f.Matrix != nil) {
			d.problem(n, "for must have exactly one of var and matrix", "write `for: {var: NAME}`, `for: {matrix: {…}}` or a list")
		}
	}
	return f
}

var forKeys = newTable("for", func() []key[For] {
	return []key[For]{
		{"var", "#string", "A variable to loop over.", func(d *decoder, f *For, n *yaml.Node) { f.Var = d.text(n, "var").S }},
		{"split", "#string", "What separates the items of a string.", func(d *decoder, f *For, n *yaml.Node) { f.Split = d.text(n, "split").S }},
		{"as", "#string", "The name of the item variable.", func(d *decoder, f *For, n *yaml.Node) { f.As = d.text(n, "as").S }},
		{"matrix", `{"type":"object"}`, "Lists whose combinations are looped over.", func(d *decoder, f *For, n *yaml.Node) { f.Matrix = d.matrix(n) }},
	}
})

func (d *decoder) matrix(n *yaml.Node) []MatrixRow {
	n = d.follow(n)
	rows := []MatrixRow{}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "matrix must be a map of lists, not "+kindOf(n), "")
		return rows
	}
	d.pairs(n, func(k, v *yaml.Node) {
		row := MatrixRow{Name: d.follow(k).Value, Pos: d.pos(k)}
		v = d.follow(v)
		switch v.Kind {
		case yaml.SequenceNode:
			row.Items = d.value(v).([]any)
		case yaml.MappingNode:
			matrixKeys.decode(d, v, &row)
			if row.Ref == "" {
				d.problem(v, "a row of a matrix must be a list or {ref: …}", "")
			}
		default:
			d.problem(v, "a row of a matrix must be a list or {ref: …}, not "+kindOf(v), "")
		}
		rows = append(rows, row)
	})
	return rows
}

var matrixKeys = newTable("matrix", func() []key[MatrixRow] {
	return []key[MatrixRow]{{"ref", "#string", "", func(d *decoder, r *MatrixRow, n *yaml.Node) { r.Ref = d.text(n, "ref").S }}}
})
