package schema

import (
	"fmt"
	"reflect"

	"github.com/weftrun/weft/schema/yaml"
)

// taskKeys has the commonest keys first: they are looked up in order.
var taskKeys = []key[Task]{
	{"desc", textForm, "One line for the list of tasks.", func(d *decoder, n *yaml.Node, t *Task) { t.Desc = d.text(n) }},
	{"cmds", `{"type":["array","null"],"items":{"$ref":"#/$defs/command"}}`, "Commands, run one after the other.", func(d *decoder, n *yaml.Node, t *Task) {
		if t.Cmds != nil && !isNull(n) {
			d.fail(n, "keep one of them", "task cannot have both cmd and cmds")
			return
		}
		t.Cmds = d.commandList(n)
	}},
	{"cmd", `{"$ref":"#/$defs/command"}`, "The only command.", func(d *decoder, n *yaml.Node, t *Task) {
		if isNull(n) {
			return
		}
		if t.Cmds != nil {
			d.fail(n, "keep one of them", "task cannot have both cmd and cmds")
			return
		}
		t.Cmds = d.commands.take(1)
		if !d.command(n, &t.Cmds[0]) {
			t.Cmds = t.Cmds[:0]
		}
	}},
	{"deps", `{"type":["array","null"],"items":{"$ref":"#/$defs/dep"}}`, "Tasks that run before this one, in parallel.", func(d *decoder, n *yaml.Node, t *Task) { t.Deps = d.deps(n) }},
	{"vars", `{"$ref":"#/$defs/vars"}`, "Variables of this task.", func(d *decoder, n *yaml.Node, t *Task) { t.Vars = d.vars(n) }},
	{"env", `{"$ref":"#/$defs/vars"}`, "Environment of its commands.", func(d *decoder, n *yaml.Node, t *Task) { t.Env = d.vars(n) }},
	{"dir", textForm, "Directory its commands run in.", func(d *decoder, n *yaml.Node, t *Task) { t.Dir = d.text(n) }},
	{"sources", globsForm, "Files it reads: it is up to date when they have not changed.", func(d *decoder, n *yaml.Node, t *Task) { t.Sources = d.globs(n) }},
	{"generates", globsForm, "Files it writes.", func(d *decoder, n *yaml.Node, t *Task) { t.Generates = d.globs(n) }},
	{"status", listOfText, "Commands that all succeed when it is up to date.", func(d *decoder, n *yaml.Node, t *Task) { t.Status = d.texts(n, "commands") }},
	{"method", methodForm, "How to tell whether it is up to date.", func(d *decoder, n *yaml.Node, t *Task) { t.Method = d.text(n) }},
	{"fingerprint", ruleForm, "What to look at for that: everything (full), or the content of sources alone (task-v3).", func(d *decoder, n *yaml.Node, t *Task) { t.Fingerprint = d.fingerprint(n) }},
	{"silent", boolForm, "Do not show its commands before they run.", func(d *decoder, n *yaml.Node, t *Task) { t.Silent = d.boolean(n) }},
	{"internal", boolForm, "It can only be called by other tasks.", func(d *decoder, n *yaml.Node, t *Task) { t.Internal = d.flag(n) }},
	{"summary", textForm, "Longer description, for --summary.", func(d *decoder, n *yaml.Node, t *Task) { t.Summary = d.text(n) }},
	{"aliases", listOfText, "Other names.", func(d *decoder, n *yaml.Node, t *Task) { t.Aliases = d.strings(n, "names") }},
	{"label", textForm, "Name shown in messages instead of its own.", func(d *decoder, n *yaml.Node, t *Task) { t.Label = d.text(n) }},
	{"prefix", textForm, "Name shown before its output in prefixed mode.", func(d *decoder, n *yaml.Node, t *Task) { t.Prefix = d.text(n) }},
	{"preconditions", `{"type":["array","null"],"items":{"$ref":"#/$defs/precondition"}}`, "Commands that must succeed before it runs.", func(d *decoder, n *yaml.Node, t *Task) { t.Preconditions = d.preconditions(n) }},
	{"requires", `{"$ref":"#/$defs/requires"}`, "Variables it must be given.", func(d *decoder, n *yaml.Node, t *Task) { readMap(d, n, "requires", requiresKeys, t) }},
	{"if", textForm, "Command that must succeed, or the task is skipped.", func(d *decoder, n *yaml.Node, t *Task) { t.If = d.text(n) }},
	{"prompt", `{"anyOf":[` + textForm + `,` + listOfText + `]}`, "Questions to answer with yes before it runs.", func(d *decoder, n *yaml.Node, t *Task) { t.Prompt = d.prompt(n) }},
	{"run", runForm, "How often it runs when several others need it.", func(d *decoder, n *yaml.Node, t *Task) { t.Run = d.text(n) }},
	{"platforms", listOfText, "Systems it runs on: os, arch or os/arch.", func(d *decoder, n *yaml.Node, t *Task) { t.Platforms = d.platforms(n) }},
	{"dotenv", listOfText, "Files of NAME=value lines for its environment.", func(d *decoder, n *yaml.Node, t *Task) { t.Dotenv = d.texts(n, "file names") }},
	{"interactive", boolForm, "Its commands talk to the terminal directly.", func(d *decoder, n *yaml.Node, t *Task) { t.Interactive = d.flag(n) }},
	{"ignore_error", boolForm, "A failing command does not stop it.", func(d *decoder, n *yaml.Node, t *Task) { t.IgnoreError = d.flag(n) }},
	{"set", listOfText, "POSIX shell options of its commands.", func(d *decoder, n *yaml.Node, t *Task) { t.Set = d.strings(n, "options") }},
	{"shopt", listOfText, "Bash shell options of its commands.", func(d *decoder, n *yaml.Node, t *Task) { t.Shopt = d.strings(n, "options") }},
	{"stop", stopForm, "How its commands are stopped.", func(d *decoder, n *yaml.Node, t *Task) { d.readStop(n, &t.Processes) }},
	{"leftover", leftoverForm, "What becomes of processes that its commands leave behind.", func(d *decoder, n *yaml.Node, t *Task) { d.leftover(n, &t.Processes) }},
	{"signals", signalsForm, "Signals that weft forwards: HUP, USR1, USR2, or a map of what they become.", func(d *decoder, n *yaml.Node, t *Task) { d.readSignals(n, &t.Processes) }},
	{"exec", `{"type":"array","items":` + textForm + `,"minItems":1}`, "The only command: program and arguments, run without a shell.", func(d *decoder, n *yaml.Node, t *Task) {
		if isNull(n) {
			return
		}
		if t.Cmds != nil {
			d.fail(n, "keep one of them", "task cannot have both exec and cmd or cmds")
			return
		}
		t.Cmds = d.commands.take(1)
		argv := d.argv(n)
		t.Cmds[0] = Command{Pos: d.pos(n), Kind: Exec, Text: Text{S: commandLine(argv), Pos: d.pos(n)}, CommandOptions: &CommandOptions{Argv: argv}}
	}},
	{"shell", interpreterForm, "What runs its scripts.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Shell = d.interpreter(n) }},
	{"stdin", stdinForm, "What its commands read.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Stdin = d.stdin(n) }},
	{"stdout", sinksForm, "Where their output goes.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Stdout = d.sinks(n, false) }},
	{"stderr", sinksForm, "Where their messages go.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Stderr = d.sinks(n, true) }},
	{"outputs", `{"type":["object","null"],"additionalProperties":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/namedOutput"}]}}`, "Values it gives to those that need it.", func(d *decoder, n *yaml.Node, t *Task) { t.Outputs = d.outputs(n) }},
	{"timeout", durationForm, "Longest time the whole task may take.", func(d *decoder, n *yaml.Node, t *Task) { t.Timeout = d.timeout(n) }},
	{"idle_timeout", durationForm, "Longest time a command may write nothing.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).IdleTimeout = d.timeout(n) }},
	{"retry", retryForm, "How often a command is tried again when it fails.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Retry = d.retry(n) }},
	{"accept", acceptForm, "Exit codes of its commands that count as success.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).Accept = d.exitCodes(n) }},
	{"tty", boolForm, "Give its commands a terminal of their own.", func(d *decoder, n *yaml.Node, t *Task) { processes(&t.Processes).TTY = d.boolean(n) }},
	{"watch", boolForm, "Calling it watches its sources and runs it again.", func(d *decoder, n *yaml.Node, t *Task) { t.Watch = d.flag(n) }},
	{"on_change", onChangeForm, "What a change does to it while it is watched and runs: restart, queue, ignore or {signal: HUP}.", func(d *decoder, n *yaml.Node, t *Task) { t.OnChange = d.onChange(n) }},
	{"failfast", boolForm, "The first failing dependency stops the others.", func(d *decoder, n *yaml.Node, t *Task) { t.Failfast = d.flag(n) }},
	{"use_gitignore", boolForm, "Leave files ignored by git out of sources and generates.", func(d *decoder, n *yaml.Node, t *Task) { t.UseGitignore = d.boolean(n) }},
}

// taskNames are the names of the keys in taskKeys, in the same order. Readers in the
// table use them, and so cannot refer to the table itself.
var taskNames = []string{
	"desc", "cmds", "cmd", "deps", "vars", "env", "dir", "sources", "generates", "status", "method",
	"fingerprint", "silent", "internal", "summary", "aliases", "label", "prefix", "preconditions", "requires",
	"if", "prompt", "run", "platforms", "dotenv", "interactive", "ignore_error", "set", "shopt", "stop",
	"leftover", "signals", "exec", "shell", "stdin", "stdout", "stderr", "outputs", "timeout", "idle_timeout",
	"retry", "accept", "tty", "watch", "on_change", "failfast", "use_gitignore",
}

// readTasks reads the root key tasks, or a chunk of it.
func (d *decoder) readTasks(n *yaml.Node, doc *document) {
	if n.Kind == yaml.MappingNode {
		doc.Tasks = make([]*Task, 0, len(n.Content)/2)
	}
	d.eachPair(n, "a map of tasks", func(k, v *yaml.Node) {
		if k.Kind != yaml.ScalarNode {
			d.fail(k, "", "the name of a task is %s", describe(k))
			return
		}
		d.suspectKey(k)
		t := &d.tasks.take(1)[0]
		t.Name, t.LocalName, t.Pos, t.File = k.Value, k.Value, d.pos(k), d.file
		d.subject = k.Value
		d.task(v, t)
		d.subject = ""
		doc.Tasks = append(doc.Tasks, t)
		// Nothing but an alias can need the nodes again.
		if v.Anchor == "" && !d.aliased {
			v.Content = nil
		}
	})
}

// task reads one task: a command, a list of commands, a map, or nothing.
func (d *decoder) task(n *yaml.Node, t *Task) {
	d.key = "tasks"
	t.TaskOptions = &noTaskOptions
	switch n.Kind {
	case yaml.ScalarNode:
		if !isNull(n) {
			d.suspectCommand(n, taskNames)
			t.Cmds = d.commands.take(1)
			if !d.command(n, &t.Cmds[0]) {
				t.Cmds = nil
			}
		}
	case yaml.SequenceNode:
		t.Cmds = d.commandList(n)
	case yaml.MappingNode:
		d.options = TaskOptions{}
		t.TaskOptions = &d.options
		readMap(d, n, "task", taskKeys, t)
		t.TaskOptions = &noTaskOptions
		if !reflect.ValueOf(&d.options).Elem().IsZero() {
			own := d.options
			t.TaskOptions = &own
		}
	}
	d.checkStreams(t)
}

// HasOptions reports whether t has any of its TaskOptions.
func (t *Task) HasOptions() bool {
	return t.TaskOptions != nil && t.TaskOptions != &noTaskOptions
}

// HasOptions reports whether c has any of its CommandOptions.
func (c *Command) HasOptions() bool {
	return c.CommandOptions != nil && c.CommandOptions != &noCommandOptions
}

// noTaskOptions and noCommandOptions are shared by all tasks and commands without options.
var (
	noTaskOptions    TaskOptions
	noCommandOptions CommandOptions
)

// uniqueTasks drops tasks whose name is given again later: the later one wins,
// in the place of the first. It fills byName.
func (doc *document) uniqueTasks() {
	doc.ByName = make(map[string]*Task, len(doc.Tasks))
	for _, t := range doc.Tasks {
		doc.ByName[t.Name] = t
	}
	if len(doc.ByName) == len(doc.Tasks) {
		return
	}
	at := make(map[string]int, len(doc.ByName))
	kept := doc.Tasks[:0]
	for _, t := range doc.Tasks {
		i, again := at[t.Name]
		if !again {
			at[t.Name] = len(kept)
			kept = append(kept, t)
			continue
		}
		doc.shadowed = append(doc.shadowed, definedAgain(t.Pos, fmt.Sprintf("task %q", t.Name), kept[i].Pos))
		kept[i] = t
	}
	doc.Tasks = kept
}

var globKeys = []key[Glob]{
	{"exclude", textForm, "Files to leave out.", func(d *decoder, n *yaml.Node, g *Glob) { g.Pattern = d.text(n) }},
}

func (d *decoder) globs(n *yaml.Node) []Glob {
	return list(d, n, "file patterns", func(it *yaml.Node) (g Glob) {
		if g.Exclude = it.Kind == yaml.MappingNode; g.Exclude {
			readMap(d, it, "glob", globKeys, &g)
		} else {
			g.Pattern = d.text(it)
		}
		return g
	})
}

var preconditionKeys = []key[Precondition]{
	{"sh", textForm, "Command that must succeed.", func(d *decoder, n *yaml.Node, p *Precondition) { p.Cmd = d.text(n) }},
	{"msg", textForm, "What to say when it fails.", func(d *decoder, n *yaml.Node, p *Precondition) { p.Msg = d.text(n) }},
}

func (d *decoder) preconditions(n *yaml.Node) []Precondition {
	return list(d, n, "commands", func(it *yaml.Node) (p Precondition) {
		if p.Short = it.Kind != yaml.MappingNode; p.Short {
			p.Cmd = d.text(it)
		} else {
			readMap(d, it, "precondition", preconditionKeys, &p)
		}
		return p
	})
}

var requiresKeys = []key[Task]{
	{"vars", `{"type":["array","null"],"items":{"$ref":"#/$defs/required"}}`, "Names of the variables.", func(d *decoder, n *yaml.Node, t *Task) {
		t.Requires = list(d, n, "variable names", func(it *yaml.Node) Required {
			r := Required{Pos: d.pos(it)}
			if it.Kind == yaml.MappingNode {
				readMap(d, it, "requires.vars", requiredKeys, &r)
			} else {
				r.Name = d.text(it).S
			}
			return r
		})
	}},
}

var requiredKeys = []key[Required]{
	{"name", textForm, "Name of the variable.", func(d *decoder, n *yaml.Node, r *Required) { r.Name = d.text(n).S }},
	{"enum", `{"anyOf":[` + listOfText + `,{"$ref":"#/$defs/enumRef"}]}`, "Values it may have.", func(d *decoder, n *yaml.Node, r *Required) {
		switch n.Kind {
		case yaml.SequenceNode:
			r.Enum = d.strings(n, "values")
		case yaml.MappingNode:
			readMap(d, n, "enum", enumKeys, r)
			if r.Ref == "" {
				d.fail(n, `write a list of values, or {ref: ".NAME"}`, "enum: a map needs the key ref")
			}
		default:
			if !isNull(n) {
				d.wrongType(n, "a list of values or {ref: …}")
			}
		}
	}},
}

var enumKeys = []key[Required]{
	{"ref", textForm, "Template expression that gives the values.", func(d *decoder, n *yaml.Node, r *Required) { r.Ref = d.text(n).S }},
}

func (d *decoder) prompt(n *yaml.Node) []Text {
	switch {
	case isNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		return d.texts(n, "questions")
	case n.Kind == yaml.ScalarNode:
		return []Text{d.text(n)}
	}
	d.wrongType(n, "a question or a list of them")
	return nil
}
