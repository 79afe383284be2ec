package schema

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// commandForm is a command while it is being read. Which keys were given decides, at the
// end, what kind of command it is.
type commandForm struct {
	Command
	cmd, task Text
	deferred  bool
	given     [8]bool // which of the keys in doing were given and are not null
	groups    [givenMerge + 1]*yaml.Node
	inner     Command // of a defer that is a map
	broken    bool    // a reported problem hides its action
}

const (
	givenCmd = iota
	givenTask
	givenDefer
	givenExec
	givenPipe
	givenParallel
	givenTee
	givenMerge
)

// doing are the keys for the action of a command, by the constants above.
var doing = [...]string{"cmd", "task", "defer", "exec", "pipe", "parallel", "tee", "merge"}

var commandKeys = []key[*commandForm]{
	{"cmd", len(textForm), len("The command."), func(d *decoder, n *yaml.Node, c *commandForm) {
		c.cmd, c.given[givenCmd] = d.text(n), isGiven(n)
		c.broken = c.broken || n.Kind != yaml.ScalarNode
	}},
	{"task", len(textForm), len("Task to call instead of a command."), func(d *decoder, n *yaml.Node, c *commandForm) {
		c.task, c.given[givenTask] = d.text(n), isGiven(n)
		c.broken = c.broken || n.Kind != yaml.ScalarNode
	}},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables given to the task."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Vars = d.vars(n) }},
	{"silent", len(boolForm), len("Do not show it before it runs."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Silent = d.flag(n) }},
	{"ignore_error", len(boolForm), len("Continue when it fails."), func(d *decoder, n *yaml.Node, c *commandForm) { c.IgnoreError = d.flag(n) }},
	{"for", len(`{"$ref":"#/$defs/for"}`), len("Run it once for every item."), func(d *decoder, n *yaml.Node, c *commandForm) { c.For = d.loop(n) }},
	{"if", len(textForm), len("Condition: the command is skipped if this one fails."), func(d *decoder, n *yaml.Node, c *commandForm) { c.If = d.text(n) }},
	{"defer", len(`{"$ref":"#/$defs/defer"}`), len("Command or task to run when the task ends."), (*decoder).readDefer},
	{"timeout", len(durationForm), len("Longest time it may take."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Timeout = d.timeout(n) }},
	{"stop", len(stopForm), len("How it is stopped."), func(d *decoder, n *yaml.Node, c *commandForm) { d.readStop(n, &c.Processes) }},
	{"leftover", len(leftoverForm), len("What happens to processes that it leaves behind."), func(d *decoder, n *yaml.Node, c *commandForm) { d.leftover(n, &c.Processes) }},
	{"signals", len(signalsForm), len("Signals that weft forwards: HUP, USR1, USR2, or a map from these to the signals to send."), func(d *decoder, n *yaml.Node, c *commandForm) { d.readSignals(n, &c.Processes) }},
	{"exec", len(`{"type":"array","items":` + textForm + `,"minItems":1}`), len("Program and arguments, run without a shell."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Argv, c.given[givenExec] = d.argv(n), !isNull(n) }},
	{"pipe", len(membersForm), len("Commands run at the same time, each reading the output of the one before."), func(d *decoder, n *yaml.Node, c *commandForm) { c.groups[givenPipe] = n }},
	{"parallel", len(membersForm), len("Commands run at the same time."), func(d *decoder, n *yaml.Node, c *commandForm) { c.groups[givenParallel] = n }},
	{"tee", len(membersForm), len("In a pipe: commands that all read the output of the one before."), func(d *decoder, n *yaml.Node, c *commandForm) { c.groups[givenTee] = n }},
	{"merge", len(membersForm), len("First in a pipe: commands whose outputs are combined."), func(d *decoder, n *yaml.Node, c *commandForm) { c.groups[givenMerge] = n }},
	{"mode", len(`{"enum":["lines","raw","concat",null]}`), len("How outputs are merged: whole lines, raw, or one after the other (concat)."), func(d *decoder, n *yaml.Node, c *commandForm) {
		c.Mode = MergeMode(d.word(n, "use lines, raw or concat", "lines", "raw", "concat"))
	}},
	{"early_close", len(`{"enum":["ok",null]}`), len("ok: a command of the pipe may fail if those after it have succeeded."), func(d *decoder, n *yaml.Node, c *commandForm) {
		c.EarlyClose = d.word(n, "write ok or leave it out", "", "ok") == 1
	}},
	{"accept", len(acceptForm), len("Exit codes that count as success."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Accept = d.exitCodes(n) }},
	{"shell", len(interpreterForm), len("What runs its script."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Shell = d.interpreter(n) }},
	{"stdin", len(stdinForm), len("What it reads."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Stdin = d.stdin(n) }},
	{"stdout", len(sinksForm), len("Where its output goes."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Stdout = d.sinks(n, false) }},
	{"stderr", len(sinksForm), len("Where its standard error goes."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Stderr = d.sinks(n, true) }},
	{"idle_timeout", len(durationForm), len("Longest time it may write nothing."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).IdleTimeout = d.timeout(n) }},
	{"retry", len(retryForm), len("How often it is retried when it fails."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).Retry = d.retry(n) }},
	{"tty", len(boolForm), len("Give it a terminal of its own."), func(d *decoder, n *yaml.Node, c *commandForm) { made(&c.Processes).TTY = d.boolean(n) }},
	{"platforms", len(listOfText), len("Systems it runs on: os, arch or os/arch."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Platforms = d.platforms(n) }},
	{"set", len(listOfText), len("POSIX shell options."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Set = d.strings(n, "options") }},
	{"shopt", len(listOfText), len("Bash shell options."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Shopt = d.strings(n, "options") }},
	{"background", len(boolForm), len("The next command starts immediately; the run waits for this one at its end."), func(d *decoder, n *yaml.Node, c *commandForm) { c.Background = d.flag(n) }},
	{"user", len(textForm), len("User that it runs as: NAME or UID:GID."), func(d *decoder, n *yaml.Node, c *commandForm) { d.readUser(n, &c.Processes) }},
	{"limits", len(limitsForm), len("What each of its processes may use."), func(d *decoder, n *yaml.Node, c *commandForm) { d.readLimits(n, &c.Processes) }},
	{"ipc", len(ipcForm), len("A channel for messages, compatible with Node's."), func(d *decoder, n *yaml.Node, c *commandForm) { d.readIPC(n, &c.Processes) }},
}

// commandNames are the names of the keys in commandKeys, in the same order. Readers in the
// table use them, and so cannot refer to the table itself.
var commandNames = []string{
	"cmd", "task", "vars", "silent", "ignore_error", "for", "if", "defer", "timeout", "stop", "leftover",
	"signals", "exec", "pipe", "parallel", "tee", "merge", "mode", "early_close", "accept", "shell", "stdin",
	"stdout", "stderr", "idle_timeout", "retry", "tty", "platforms", "set", "shopt",
	"background", "user", "limits", "ipc",
}

var deferKeys = []key[*Command]{
	{"task", len(textForm), len("Task to call."), func(d *decoder, n *yaml.Node, c *Command) { c.Text = d.text(n) }},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables given to the task."), func(d *decoder, n *yaml.Node, c *Command) { c.Vars = d.vars(n) }},
	{"silent", len(boolForm), len("Do not show its commands."), func(d *decoder, n *yaml.Node, c *Command) { c.Silent = d.flag(n) }},
	{"timeout", len(`false`), len("Written next to defer."), func(d *decoder, n *yaml.Node, c *Command) {
		d.fail(n, "", "timeout must be set next to defer, not inside it")
	}},
}

func isGiven(n *yaml.Node) bool { return !isNull(n) && n.Value != "" }

func (d *decoder) readDefer(n *yaml.Node, c *commandForm) {
	if isNull(n) {
		return
	}
	c.given[givenDefer] = true
	switch n.Kind {
	case yaml.ScalarNode:
		c.cmd = d.text(n)
		c.deferred = true
	case yaml.MappingNode:
		readMap(d, n, "defer", deferKeys, &c.inner)
	default:
		d.wrongType(n, "a command or {task: …}")
	}
}

// commandList reads cmds. Empty entries are left out.
func (d *decoder) commandList(n *yaml.Node) []Command {
	items := d.items(n, "commands")
	if items == nil {
		return nil
	}
	cs := d.commands.take(len(items)) // not nil, so that cmd beside cmds is refused
	used := 0
	for _, it := range items {
		if d.command(d.deref(it), &cs[used]) {
			used++
		}
		d.key = "cmds"
	}
	return cs[:used:used]
}

// command reads one command. It returns false, and does not change c, when there is nothing
// to run.
func (d *decoder) command(n *yaml.Node, c *Command) bool {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return false
		}
		d.suspectCommand(n, commandNames)
		c.Pos, c.Text, c.CommandOptions = d.pos(n), d.text(n), &noCommandOptions
		return true
	case yaml.MappingNode:
		return d.commandMap(n, c)
	}
	d.fail(n, "", "expected a command, found %s", describe(n))
	return false
}

func (d *decoder) commandMap(n *yaml.Node, c *Command) bool {
	if d.commandInMap(n) || d.onlyUnknownKey(n) {
		return false
	}
	var f commandForm
	f.CommandOptions = &CommandOptions{}
	readMap(d, n, "command", commandKeys, &f)
	f.Pos = d.pos(n)
	for given, members := range f.groups {
		if members != nil {
			d.members(members, &f, given)
		}
	}
	if f.given[givenDefer] {
		d.ignoredBesideDefer(n)
		if f.Background {
			d.fail(n, "remove background", "a deferred command cannot run in the background: it runs when the task ends")
		}
		*c = Command{Pos: f.Pos, Defer: true, Silent: f.Silent, CommandOptions: &CommandOptions{Timeout: f.Timeout}}
		if f.deferred {
			c.Text = f.cmd
		} else {
			c.Kind, c.Text, c.Vars, c.Silent = Call, f.inner.Text, f.inner.Vars, f.inner.Silent
		}
		return f.deferred || c.Text.S != ""
	}
	d.onlyOne(n, &f)
	switch {
	case f.given[givenTask]:
		f.Kind, f.Text = Call, f.task
	case f.given[givenCmd]:
		f.Text = f.cmd
	case f.given[givenExec]:
		f.Kind, f.Text = Exec, Text{S: commandLine(f.Argv), Pos: f.Pos}
	default:
		i := slices.Index(f.given[givenPipe:], true)
		if i < 0 {
			if !f.broken {
				d.fail(n, giveOne, "invalid keys in command")
			}
			return false
		}
		f.Kind = Pipe + CommandKind(i)
		f.Text = Text{S: GroupLine(f.Kind, textsOf(f.Members, func(c *Command) string { return c.Text.S })), Pos: f.Pos}
		d.placed(n, &f.Command)
	}
	if f.Kind != Call {
		f.Vars = nil
	}
	*c = f.Command
	return true
}

const giveOne = "give one of cmd, task, exec, pipe, parallel and defer"

// onlyUnknownKey reports a map whose only key is not one of a command.
func (d *decoder) onlyUnknownKey(n *yaml.Node) bool {
	if len(n.Content) != 2 {
		return false
	}
	k := n.Content[0]
	if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || slices.Contains(commandNames, k.Value) {
		return false
	}
	fix := giveOne + `; a command that contains ": " needs quotes`
	if best := closest(k.Value, commandNames); best != "" {
		fix = fmt.Sprintf("did you mean %q?", best)
	}
	d.fail(k, fix, "unknown key %q in command, and nothing to run", k.Value)
	return true
}

// commandInMap reports a command that YAML reads as a map, because it holds ": " or begins
// with a brace.
func (d *decoder) commandInMap(n *yaml.Node) bool {
	if len(n.Content) != 2 {
		return false
	}
	k, v := n.Content[0], n.Content[1]
	if k.Kind != yaml.ScalarNode || k.Style != 0 || !strings.Contains(k.Value, " ") || v.Kind != yaml.ScalarNode {
		return false
	}
	line := d.file.Line(n.Line)
	start, value := valueOf(line)
	holds, before := `a command that contains ": " must be quoted`, strings.TrimLeft(line[:start], " ")
	if strings.HasPrefix(value, "{") && start == int(n.Column)-1 {
		holds = `a command that begins with "{" must be quoted`
	} else if n.Style&yaml.FlowStyle != 0 {
		before, value = "", k.Value+": "+v.Value // it is in brackets
	}
	comment := ""
	if i := strings.Index(value, " #"); i > 0 && before != "" {
		value, comment = strings.TrimRight(value[:i], " "), value[i:]
	}
	d.list.Add(&diag.Diagnostic{Pos: d.pos(n), Kind: diag.Decode, What: d.about() + holds, Why: "YAML parses it as a map", Fix: "write " + before + quoteYAML(value) + comment})
	return true
}

// ignoredBesideDefer warns of keys that have no meaning next to defer.
func (d *decoder) ignoredBesideDefer(n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch k := n.Content[i]; k.Value {
		case "if", "for", "ignore_error", "set", "shopt", "platforms", "cmd", "task", "vars":
			d.list.Add(&diag.Diagnostic{
				Pos: d.pos(k), Severity: diag.Warning, Kind: diag.UnknownKey,
				What: d.about() + "key \"" + k.Value + "\" has no effect next to defer",
				Fix:  "move the deferred commands to a separate task",
			})
		}
	}
}

var depKeys = []key[*Command]{
	{"task", len(textForm), len("Name of the task."), func(d *decoder, n *yaml.Node, c *Command) { c.Text = d.text(n) }},
	{"vars", len(`{"$ref":"#/$defs/vars"}`), len("Variables given to it."), func(d *decoder, n *yaml.Node, c *Command) { c.Vars = d.vars(n) }},
	{"silent", len(boolForm), len("Do not show its commands."), func(d *decoder, n *yaml.Node, c *Command) { c.Silent = d.flag(n) }},
	{"for", len(`{"$ref":"#/$defs/for"}`), len("Need it once for every item."), func(d *decoder, n *yaml.Node, c *Command) { c.For = d.loop(n) }},
	{"timeout", len(durationForm), len("Longest time it may take."), func(d *decoder, n *yaml.Node, c *Command) { c.Timeout = d.timeout(n) }},
	{"until", len(`{"enum":["started","ready","succeeded","ended",null]}`), len("The state that it must have reached: started, ready, succeeded or ended; ready for a service, else succeeded."), func(d *decoder, n *yaml.Node, c *Command) {
		c.Until = Until(d.word(n, "use started, ready, succeeded or ended", untilNames[:]...))
	}},
	{"optional", len(boolForm), len("It is not an error if there is no such task."), func(d *decoder, n *yaml.Node, c *Command) { c.Optional = d.flag(n) }},
}

func (d *decoder) deps(n *yaml.Node) []Command {
	items := d.items(n, "task names")
	if items == nil {
		return nil
	}
	cs := d.commands.take(len(items))
	used := 0
	for _, it := range items {
		it = d.deref(it)
		c := &cs[used]
		switch {
		case isNull(it):
			continue
		case it.Kind == yaml.ScalarNode:
			c.Text, c.CommandOptions = d.text(it), &noCommandOptions
		case it.Kind == yaml.MappingNode:
			c.CommandOptions = &CommandOptions{}
			readMap(d, it, "dependency", depKeys, c)
		default:
			d.fail(it, "", "expected the name of a task, found %s", describe(it))
			continue
		}
		c.Kind, c.Pos = Call, d.pos(it)
		used++
	}
	return cs[:used:used]
}

func (d *decoder) timeout(n *yaml.Node) time.Duration {
	t := d.text(n)
	if t.S == "" {
		return 0
	}
	v, err := time.ParseDuration(t.S)
	switch {
	case err != nil:
		d.fail(n, `write a number and a unit, as in "30s" or "1m30s"`, "invalid timeout format: %q", t.S)
	case v <= 0:
		d.fail(n, "", "timeout must be greater than zero")
	}
	return v
}
