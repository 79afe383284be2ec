package schema

import (
	"fmt"
	"reflect"
	"time"

	"github.com/weftrun/weft/schema/yaml"
)

// ownTaskKeys is how many of the first keys in taskKeys are fields of Task itself, not of its
// options.
const ownTaskKeys = 7

// taskKeys has the commonest keys first: they are looked up in order.
var taskKeys = []key[*Task]{
	{"desc", len(textForm), len("One line for the list of tasks."), func(d *decoder, n *yaml.Node, t *Task) { t.Desc = d.text(n) }},
	{"cmds", len(`{"type":["array","null"],"items":{"$ref":"#/$defs/command"}}`), len("Commands, run one after the other."), func(d *decoder, n *yaml.Node, t *Task) {
		if t.Cmds != nil && !isNull(n) {
			d.fail(n, "keep one of them", "task cannot have both cmd and cmds")
			return
		}
		t.Cmds = d.commandList(n)
	}},
	{"cmd", len(`{"$ref":"#/$defs/command"}`), len("The only command."), func(d *decoder, n *yaml.Node, t *Task) {
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
	{"deps", len(`{"type":["array","null"],"items":{"$ref":"#/$defs/dep"}}`), len("Tasks that run before this one, in parallel."), func(d *decoder, n *yaml.Node, t *Task) { t.Deps = d.deps(n) }},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables of this task."), func(d *decoder, n *yaml.Node, t *Task) { t.Vars = d.vars(n) }},
	{"env", len(`{"$ref":"#/$defs/vars"}`), len("Environment of its commands."), func(d *decoder, n *yaml.Node, t *Task) { t.Env = d.vars(n) }},
	{"dir", len(textForm), len("Directory its commands run in."), func(d *decoder, n *yaml.Node, t *Task) { t.Dir = d.text(n) }},
	{"sources", len(globsForm), len("Files it reads: it is up to date when they have not changed."), func(d *decoder, n *yaml.Node, t *Task) { t.Sources = d.globs(n) }},
	{"generates", len(globsForm), len("Files it writes."), func(d *decoder, n *yaml.Node, t *Task) { t.Generates = d.globs(n) }},
	{"depfile", len(textForm), len("File, in the syntax of Make, in which the compiler lists the files that it has read: these are sources, too."), func(d *decoder, n *yaml.Node, t *Task) { t.Depfile = d.text(n) }},
	{"status", len(listOfText), len("Commands that all succeed when it is up to date."), func(d *decoder, n *yaml.Node, t *Task) { t.Status = d.texts(n, "commands") }},
	{"method", len(methodForm), len("How to tell whether it is up to date."), func(d *decoder, n *yaml.Node, t *Task) { t.Method = d.text(n) }},
	{"cache", len(cacheForm), len("Store what it makes and its log, and restore them for the same inputs: true, or a map."), (*decoder).taskCache},
	{"remote", len(remoteForm), len("It may run elsewhere, where it finds only its sources: true, false, the name of a profile, or a map."), (*decoder).taskRemote},
	{"fingerprint", len(ruleForm), len("What to compare for that: everything (full), or only the content of sources (task-v3)."), func(d *decoder, n *yaml.Node, t *Task) { t.Fingerprint = d.fingerprint(n) }},
	{"silent", len(boolForm), len("Do not show its commands before they run."), func(d *decoder, n *yaml.Node, t *Task) { t.Silent = d.boolean(n) }},
	{"internal", len(boolForm), len("It can only be called by other tasks."), func(d *decoder, n *yaml.Node, t *Task) { t.Internal = d.flag(n) }},
	{"summary", len(textForm), len("Longer description, for --summary."), func(d *decoder, n *yaml.Node, t *Task) { t.Summary = d.text(n) }},
	{"aliases", len(listOfText), len("Other names."), func(d *decoder, n *yaml.Node, t *Task) { t.Aliases = d.strings(n, "names") }},
	{"label", len(textForm), len("Name shown in messages instead of the task's name."), func(d *decoder, n *yaml.Node, t *Task) { t.Label = d.text(n) }},
	{"prefix", len(textForm), len("Name shown before its output in prefixed mode."), func(d *decoder, n *yaml.Node, t *Task) { t.Prefix = d.text(n) }},
	{"preconditions", len(`{"type":["array","null"],"items":{"$ref":"#/$defs/precondition"}}`), len("Commands that must succeed before it runs."), func(d *decoder, n *yaml.Node, t *Task) { t.Preconditions = d.preconditions(n) }},
	{"requires", len(`{"$ref":"#/$defs/requires"}`), len("Required variables."), func(d *decoder, n *yaml.Node, t *Task) { readMap(d, n, "requires", requiresKeys, t) }},
	{"if", len(textForm), len("Condition: the task is skipped if this command fails."), func(d *decoder, n *yaml.Node, t *Task) { t.If = d.text(n) }},
	{"prompt", len(`{"anyOf":[` + textForm + `,` + listOfText + `]}`), len("Questions to answer with yes before it runs."), func(d *decoder, n *yaml.Node, t *Task) { t.Prompt = d.prompt(n) }},
	{"run", len(runForm), len("How often it runs when several other tasks need it."), func(d *decoder, n *yaml.Node, t *Task) { t.Run = d.text(n) }},
	{"platforms", len(listOfText), len("Systems it runs on: os, arch or os/arch."), func(d *decoder, n *yaml.Node, t *Task) { t.Platforms = d.platforms(n) }},
	{"dotenv", len(listOfText), len("Files of NAME=value lines for its environment."), func(d *decoder, n *yaml.Node, t *Task) { t.Dotenv = d.texts(n, "file names") }},
	{"interactive", len(boolForm), len("Its commands talk to the terminal directly."), func(d *decoder, n *yaml.Node, t *Task) { t.Interactive = d.flag(n) }},
	{"ignore_error", len(boolForm), len("A failing command does not stop it."), func(d *decoder, n *yaml.Node, t *Task) { t.IgnoreError = d.flag(n) }},
	{"set", len(listOfText), len("POSIX shell options of its commands."), func(d *decoder, n *yaml.Node, t *Task) { t.Set = d.strings(n, "options") }},
	{"shopt", len(listOfText), len("Bash shell options of its commands."), func(d *decoder, n *yaml.Node, t *Task) { t.Shopt = d.strings(n, "options") }},
	{"stop", len(stopForm), len("How its commands are stopped."), func(d *decoder, n *yaml.Node, t *Task) { d.readStop(n, &t.Processes) }},
	{"leftover", len(leftoverForm), len("What happens to processes that its commands leave behind."), func(d *decoder, n *yaml.Node, t *Task) { d.leftover(n, &t.Processes) }},
	{"signals", len(signalsForm), len("Signals that weft forwards: HUP, USR1, USR2, or a map from these to the signals to send."), func(d *decoder, n *yaml.Node, t *Task) { d.readSignals(n, &t.Processes) }},
	{"exec", len(`{"type":"array","items":` + textForm + `,"minItems":1}`), len("The only command: program and arguments, run without a shell."), func(d *decoder, n *yaml.Node, t *Task) {
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
	{"shell", len(interpreterForm), len("What runs its scripts."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Shell = d.interpreter(n) }},
	{"stdin", len(stdinForm), len("What its commands read."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Stdin = d.stdin(n) }},
	{"stdout", len(sinksForm), len("Where their output goes."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Stdout = d.sinks(n, false) }},
	{"stderr", len(sinksForm), len("Where their standard error goes."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Stderr = d.sinks(n, true) }},
	{"outputs", len(`{"type":["object","null"],"additionalProperties":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/namedOutput"}]}}`), len("Values for tasks that need it."), func(d *decoder, n *yaml.Node, t *Task) { t.Outputs = d.outputs(n) }},
	{"timeout", len(durationForm), len("Longest time the whole task may take."), func(d *decoder, n *yaml.Node, t *Task) { t.Timeout = d.timeout(n) }},
	{"idle_timeout", len(durationForm), len("Longest time a command may write nothing."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).IdleTimeout = d.timeout(n) }},
	{"retry", len(retryForm), len("How often a command is retried when it fails."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Retry = d.retry(n) }},
	{"accept", len(acceptForm), len("Exit codes of its commands that count as success."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).Accept = d.exitCodes(n) }},
	{"tty", len(boolForm), len("Give its commands a terminal of their own."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Processes).TTY = d.boolean(n) }},
	{"watch", len(boolForm), len("When it is called, its sources are watched, and it runs again when they change."), func(d *decoder, n *yaml.Node, t *Task) { t.Watch = d.flag(n) }},
	{"on_change", len(onChangeForm), len("What a change does while it is watched and running: restart, queue, ignore or {signal: HUP}."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Running).OnChange = d.onChange(n) }},
	{"failfast", len(boolForm), len("The first failing dependency stops the others."), func(d *decoder, n *yaml.Node, t *Task) { t.Failfast = d.flag(n) }},
	{"use_gitignore", len(boolForm), len("Exclude files ignored by git from sources and generates."), func(d *decoder, n *yaml.Node, t *Task) { t.UseGitignore = d.boolean(n) }},
	{"service", len(boolForm), len("Those that need it wait until it is ready, and it is stopped when nothing needs it any more."), func(d *decoder, n *yaml.Node, t *Task) { service(t).stated = d.flag(n) }},
	{"ready", len(`{"anyOf":[{"type":"null"},{"$ref":"#/$defs/ready"}]}`), len("Condition for the service to be ready; by default that it has started."), func(d *decoder, n *yaml.Node, t *Task) {
		service(t).Ready = d.probe(n, Probe{Interval: 200 * time.Millisecond, Timeout: time.Minute})
	}},
	{"alive", len(`{"anyOf":[{"type":"null"},{"$ref":"#/$defs/alive"}]}`), len("Check that the service still works; if it fails, the service is stopped, and restart applies."), func(d *decoder, n *yaml.Node, t *Task) {
		service(t).Alive = d.probe(n, Probe{Interval: 10 * time.Second, Timeout: 5 * time.Second, Failures: 3})
	}},
	{"restart", len(restartForm), len("When the service is started again: no, on-failure, always, the last two also with a limit, as in on-failure:5."), (*decoder).readRestart},
	{"listen", len(listenForm), len("Sockets that weft opens and hands to the service, by name: HOST:PORT."), (*decoder).readListen},
	{"ports", len(portsForm), len("Ports that it is given, by name: the preferred number, 0 for any."), (*decoder).readPorts},
	{"after", len(listOfText), len("Tasks to wait for if they also run; they are not needs."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Running).After = d.texts(n, "task names") }},
	{"slots", len(slotsForm), len("Number of slots that it takes; by default 1."), func(d *decoder, n *yaml.Node, t *Task) {
		if !isNull(n) {
			made(&t.Running).Slots = int32(d.positive(n))
		}
	}},
	{"pool", len(poolForm), len("The pool that it takes from while it runs."), (*decoder).readPool},
	{"jobserver", len(boolForm), len("Its programs get a GNU make jobserver with weft's slots."), func(d *decoder, n *yaml.Node, t *Task) { made(&t.Running).Jobserver = d.boolean(n) }},
	{"user", len(textForm), len("User that its commands run as: NAME or UID:GID."), func(d *decoder, n *yaml.Node, t *Task) { d.readUser(n, &t.Processes) }},
	{"limits", len(limitsForm), len("What each process of its commands may use."), func(d *decoder, n *yaml.Node, t *Task) { d.readLimits(n, &t.Processes) }},
	{"ipc", len(ipcForm), len("A channel for messages, compatible with Node's."), func(d *decoder, n *yaml.Node, t *Task) { d.readIPC(n, &t.Processes) }},
}

// taskNames are the names of the keys in taskKeys, in the same order. Readers in the
// table use them, and so cannot refer to the table itself.
var taskNames = []string{
	"desc", "cmds", "cmd", "deps", "vars", "env", "dir", "sources", "generates", "depfile", "status", "method",
	"cache", "remote", "fingerprint", "silent", "internal", "summary", "aliases", "label", "prefix", "preconditions", "requires",
	"if", "prompt", "run", "platforms", "dotenv", "interactive", "ignore_error", "set", "shopt", "stop",
	"leftover", "signals", "exec", "shell", "stdin", "stdout", "stderr", "outputs", "timeout", "idle_timeout",
	"retry", "accept", "tty", "watch", "on_change", "failfast", "use_gitignore",
	"service", "ready", "alive", "restart", "listen", "ports", "after", "slots", "pool", "jobserver", "user", "limits", "ipc",
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
		t.Name, t.LocalName, t.Pos = k.Value, k.Value, d.pos(k)
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
		t.TaskOptions = d.options.next()
		given := readMap(d, n, "task", taskKeys, t)
		d.checkService(n, t)
		d.checkOutputs(t)
		d.checkCache(t)
		if given>>ownTaskKeys == 0 || reflect.ValueOf(t.TaskOptions).Elem().IsZero() {
			t.TaskOptions = &noTaskOptions
		} else {
			d.options.take(1)
		}
	}
	d.checkStreams(t)
}

// Service returns how t is run as a service; nil: it is none.
func (t *Task) Service() *Service {
	if t.Running == nil {
		return nil
	}
	return t.Running.Service
}

// OnChange returns what a change does to t while it is watched and runs.
func (t *Task) OnChange() OnChange {
	if t.Running == nil {
		return OnChange{}
	}
	return t.Running.OnChange
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
// in the place of the first. It fills names.
func (doc *document) uniqueTasks() {
	doc.names.reset(len(doc.Tasks))
	kept := doc.Tasks[:0]
	for _, t := range doc.Tasks {
		kept = append(kept, t)
		last := len(kept) - 1
		if first := doc.names.add(kept, last); first != last {
			doc.shadowed = append(doc.shadowed, definedAgain(t.Pos, fmt.Sprintf("task %q", t.Name), kept[first].Pos))
			kept[first], kept = t, kept[:last]
		}
	}
	doc.Tasks = kept
}

var globKeys = []key[*Glob]{
	{"exclude", len(textForm), len("Files to leave out."), func(d *decoder, n *yaml.Node, g *Glob) { g.Pattern = d.text(n) }},
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

var preconditionKeys = []key[*Precondition]{
	{"sh", len(textForm), len("Command that must succeed."), func(d *decoder, n *yaml.Node, p *Precondition) { p.Cmd = d.text(n) }},
	{"msg", len(textForm), len("Message when it fails."), func(d *decoder, n *yaml.Node, p *Precondition) { p.Msg = d.text(n) }},
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

var requiresKeys = []key[*Task]{
	{"vars", len(`{"type":["array","null"],"items":{"$ref":"#/$defs/required"}}`), len("Names of the variables."), func(d *decoder, n *yaml.Node, t *Task) {
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

var requiredKeys = []key[*Required]{
	{"name", len(textForm), len("Name of the variable."), func(d *decoder, n *yaml.Node, r *Required) { r.Name = d.text(n).S }},
	{"enum", len(`{"anyOf":[` + listOfText + `,{"$ref":"#/$defs/enumRef"}]}`), len("Values it may have."), func(d *decoder, n *yaml.Node, r *Required) {
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

var enumKeys = []key[*Required]{
	{"ref", len(textForm), len("Template expression that gives the values."), func(d *decoder, n *yaml.Node, r *Required) { r.Ref = d.text(n).S }},
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
