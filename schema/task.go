package schema

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// task reads one task in any of its forms.
func (d *decoder) task(n *yaml.Node, t *Task) {
	n = d.follow(n)
	switch n.Kind {
	case yaml.ScalarNode:
		if !isNull(n) {
			t.Cmds = []Command{{Pos: d.pos(n), Text: d.text(n, "a command")}}
		}
	case yaml.SequenceNode:
		t.Cmds = d.commands(n, "cmds")
	case yaml.MappingNode:
		taskKeys.decode(d, n, t)
	}
}

var taskKeys = newTable("", func() []key[Task] {
	return []key[Task]{
		{"cmds", "#commands", "The commands, in order.", func(d *decoder, t *Task, n *yaml.Node) { t.addCommands(d, n, d.commands(n, "cmds")) }},
		{"cmd", "#command", "The only command.", func(d *decoder, t *Task, n *yaml.Node) { t.addCommands(d, n, d.single(n)) }},
		{"deps", "#deps", "Tasks that run before, side by side.", func(d *decoder, t *Task, n *yaml.Node) { t.Deps = d.deps(n) }},
		{"desc", "#string", "One line for the list of tasks.", func(d *decoder, t *Task, n *yaml.Node) { t.Desc = d.text(n, "desc") }},
		{"summary", "#string", "A longer text for --summary.", func(d *decoder, t *Task, n *yaml.Node) { t.Summary = d.text(n, "summary") }},
		{"label", "#string", "Stands for the name in messages.", func(d *decoder, t *Task, n *yaml.Node) { t.Label = d.text(n, "label") }},
		{"prefix", "#string", "Stands before each line of prefixed output.", func(d *decoder, t *Task, n *yaml.Node) { t.Prefix = d.text(n, "prefix") }},
		{"aliases", "#strings", "Other names of the task.", func(d *decoder, t *Task, n *yaml.Node) { t.Aliases = d.strings(n, "aliases") }},
		{"prompt", "#stringOrStrings", "Questions to be answered with yes.", func(d *decoder, t *Task, n *yaml.Node) { t.Prompt = d.texts(n, "prompt", true) }},
		{"sources", "#globs", "Files the task reads.", func(d *decoder, t *Task, n *yaml.Node) { t.Sources = d.globs(n, "sources") }},
		{"generates", "#globs", "Files the task writes.", func(d *decoder, t *Task, n *yaml.Node) { t.Generates = d.globs(n, "generates") }},
		{"status", "#strings", "Commands that exit zero when there is nothing to do.", func(d *decoder, t *Task, n *yaml.Node) { t.Status = d.texts(n, "status", false) }},
		{"method", "#method", "How the task is found to be up to date.", func(d *decoder, t *Task, n *yaml.Node) { t.Method = d.text(n, "method") }},
		{"preconditions", `{"type":["array","null"],"items":{"anyOf":[{"type":["string","null"]},{"type":"object","properties":{"sh":{"type":"string"},"msg":{"type":"string"}},"required":["sh"]}]}}`, "What must hold before the commands.", func(d *decoder, t *Task, n *yaml.Node) { t.Preconditions = d.preconditions(n) }},
		{"if", "#string", "A command; the task is skipped when it fails.", func(d *decoder, t *Task, n *yaml.Node) { t.If = d.text(n, "if") }},
		{"requires", `{"type":["object","null"],"properties":{"vars":{"type":["array","null"],"items":{"anyOf":[{"type":"string"},{"type":"object","properties":{"name":{"type":"string"},"enum":{}},"required":["name"]}]}}}}`, "Variables that must be there.", func(d *decoder, t *Task, n *yaml.Node) { requiresKeys.decode(d, d.follow(n), t) }},
		{"dir", "#string", "Where the commands run.", func(d *decoder, t *Task, n *yaml.Node) { t.Dir = d.text(n, "dir") }},
		{"vars", "#vars", "Variables of the task.", func(d *decoder, t *Task, n *yaml.Node) { t.Vars = d.vars(n, "vars") }},
		{"env", "#vars", "Environment of its commands.", func(d *decoder, t *Task, n *yaml.Node) { t.Env = d.vars(n, "env") }},
		{"dotenv", "#strings", "Files of NAME=value lines that add to the environment.", func(d *decoder, t *Task, n *yaml.Node) { t.Dotenv = d.texts(n, "dotenv", false) }},
		{"silent", "#bool", "Do not announce the commands.", func(d *decoder, t *Task, n *yaml.Node) { t.Silent = d.tristate(n, "silent") }},
		{"interactive", "#bool", "The commands talk to the terminal.", func(d *decoder, t *Task, n *yaml.Node) { t.Interactive = d.bool(n, "interactive") }},
		{"internal", "#bool", "The task can only be called by other tasks.", func(d *decoder, t *Task, n *yaml.Node) { t.Internal = d.bool(n, "internal") }},
		{"ignore_error", "#bool", "Go on when a command fails.", func(d *decoder, t *Task, n *yaml.Node) { t.IgnoreError = d.bool(n, "ignore_error") }},
		{"run", "#run", "What becomes of equal calls.", func(d *decoder, t *Task, n *yaml.Node) { t.Run = d.text(n, "run") }},
		{"platforms", "#strings", "Where the task runs at all.", func(d *decoder, t *Task, n *yaml.Node) { t.Platforms = d.platforms(n) }},
		{"set", "#strings", "POSIX shell options of the commands.", func(d *decoder, t *Task, n *yaml.Node) { t.Set = d.strings(n, "set") }},
		{"shopt", "#strings", "Bash shell options of the commands.", func(d *decoder, t *Task, n *yaml.Node) { t.Shopt = d.strings(n, "shopt") }},
		{"watch", "#bool", "Calling the task starts watching.", func(d *decoder, t *Task, n *yaml.Node) { t.Watch = d.bool(n, "watch") }},
		{"failfast", "#bool", "The first dependency to fail cancels the others.", func(d *decoder, t *Task, n *yaml.Node) { t.Failfast = d.bool(n, "failfast") }},
		{"use_gitignore", "#bool", "Leave out of sources and generates what git ignores.", func(d *decoder, t *Task, n *yaml.Node) { t.UseGitignore = d.tristate(n, "use_gitignore") }},
	}
})

// addCommands refuses a task that has both cmd and cmds.
func (t *Task) addCommands(d *decoder, n *yaml.Node, cs []Command) {
	if t.Cmds != nil {
		d.problem(n, "task cannot have both cmd and cmds", "put the command into cmds")
		return
	}
	t.Cmds = cs
}

var requiresKeys = newTable("requires", func() []key[Task] {
	return []key[Task]{{"vars", "", "", func(d *decoder, t *Task, n *yaml.Node) {
		d.each(n, "requires.vars", func(item *yaml.Node) { t.Requires = append(t.Requires, d.required(item)) })
	}}}
})

func (d *decoder) required(n *yaml.Node) Required {
	r := Required{Pos: d.pos(n)}
	switch n.Kind {
	case yaml.ScalarNode:
		r.Name = d.text(n, "a required variable").S
	case yaml.MappingNode:
		requiredKeys.decode(d, n, &r)
		if r.Name == "" {
			d.problem(n, "a required variable must have a name", "write `- name: NAME`")
		}
	default:
		d.problem(n, "a required variable must be a name or a map, not "+kindOf(n), "")
	}
	return r
}

var requiredKeys = newTable("requires.vars", func() []key[Required] {
	return []key[Required]{
		{"name", "#string", "", func(d *decoder, r *Required, n *yaml.Node) { r.Name = d.text(n, "name").S }},
		{"enum", "", "", func(d *decoder, r *Required, n *yaml.Node) {
			n = d.follow(n)
			if n.Kind == yaml.MappingNode {
				enumKeys.decode(d, n, r)
				if r.Ref == "" {
					d.problem(n, "enum must be a list or have the key \"ref\"", "")
				}
				return
			}
			r.Enum = d.strings(n, "enum")
		}},
	}
})

var enumKeys = newTable("enum", func() []key[Required] {
	return []key[Required]{{"ref", "#string", "", func(d *decoder, r *Required, n *yaml.Node) { r.Ref = d.text(n, "ref").S }}}
})

func (d *decoder) preconditions(n *yaml.Node) []Precondition {
	var ps []Precondition
	d.each(n, "preconditions", func(item *yaml.Node) {
		var p Precondition
		switch item.Kind {
		case yaml.ScalarNode:
			p = Precondition{Cmd: d.text(item, "a precondition"), Short: true}
		case yaml.MappingNode:
			preconditionKeys.decode(d, item, &p)
		default:
			d.problem(item, "a precondition must be a command or a map, not "+kindOf(item), "")
			return
		}
		ps = append(ps, p)
	})
	return ps
}

var preconditionKeys = newTable("preconditions", func() []key[Precondition] {
	return []key[Precondition]{
		{"sh", "#string", "", func(d *decoder, p *Precondition, n *yaml.Node) { p.Cmd = d.text(n, "sh") }},
		{"msg", "#string", "", func(d *decoder, p *Precondition, n *yaml.Node) { p.Msg = d.text(n, "msg") }},
	}
})

func (d *decoder) globs(n *yaml.Node, what string) []Glob {
	var gs []Glob
	d.each(n, what, func(item *yaml.Node) {
		switch item.Kind {
		case yaml.ScalarNode:
			gs = append(gs, Glob{Pattern: d.text(item, "a pattern")})
		case yaml.MappingNode:
			g := Glob{Exclude: true}
			globKeys.decode(d, item, &g)
			if g.Pattern.S == "" {
				d.problem(item, fmt.Sprintf("a map in %s must have the key \"exclude\"", what), "")
				return
			}
			gs = append(gs, g)
		default:
			d.problem(item, "a pattern must be a string or {exclude: …}, not "+kindOf(item), "")
		}
	})
	return gs
}

var globKeys = newTable("a pattern", func() []key[Glob] {
	return []key[Glob]{{"exclude", "#string", "", func(d *decoder, g *Glob, n *yaml.Node) { g.Pattern = d.text(n, "exclude") }}}
})
