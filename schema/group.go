package schema

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/schema/yaml"
)

const membersForm = `{"type":"array","items":{"$ref":"#/$defs/command"},"minItems":1}`

// argv reads the words of an Exec.
func (d *decoder) argv(n *yaml.Node) []Text {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "write a list of words, as in [git, status], or use cmd", "exec: expected a list, found %s", describe(n))
		return nil
	}
	argv := make([]Text, 0, len(n.Content))
	for _, it := range n.Content {
		argv = append(argv, d.text(d.deref(it)))
	}
	if len(argv) == 0 || argv[0].S == "" {
		d.fail(n, "write a program and its arguments", "exec has no program")
	}
	return argv
}

// CommandLine returns the words of an Exec as they are shown: quoted as for a shell.
func CommandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = w
		if IsTemplate(w) {
			continue // its value is not known
		}
		q, err := syntax.Quote(w, syntax.LangPOSIX)
		if err != nil { // control characters
			q, err = syntax.Quote(w, syntax.LangBash)
		}
		if err == nil {
			words[i] = q
		}
	}
	return strings.Join(words, " ")
}

// textsOf returns a text of each of all.
func textsOf[T any](all []T, text func(*T) string) []string {
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = text(&all[i])
	}
	return texts
}

func commandLine(argv []Text) string { return CommandLine(textsOf(argv, written)) }

// written returns the source form of a text.
func written(t *Text) string { return t.S }

// GroupLine returns a group of commands as it is shown; words are its members as they are
// shown.
func GroupLine(kind CommandKind, words []string) string {
	switch kind {
	case Pipe:
		return strings.Join(words, " | ")
	case Tee:
		return "tee { " + strings.Join(words, "; ") + " }"
	case Merge:
		return "merge { " + strings.Join(words, "; ") + " }"
	}
	return "{ " + strings.Join(words, " & ") + " }"
}

// groupKey is the key of groups of kind k.
func (k CommandKind) groupKey() string { return doing[givenPipe+int(k-Pipe)] }

// members reads the commands of a group.
func (d *decoder) members(n *yaml.Node, c *commandForm, given int) {
	if isNull(n) {
		return
	}
	name := doing[given]
	if n.Kind != yaml.SequenceNode {
		c.broken = true
		fix := "list the commands of the group"
		if name == "parallel" && c.For != nil {
			fix = "the items of a loop run one after the other; in deps they run at the same time"
		}
		d.fail(n, fix, "%s: expected a list of commands, found %s", name, describe(n))
		return
	}
	c.given[given] = true
	for _, it := range d.items(n, "commands") {
		var m Command
		if d.command(d.deref(it), &m) && (m.Kind != Shell || m.Text.S != "") {
			c.Members = append(c.Members, m)
		}
	}
	if len(c.Members) == 0 {
		d.fail(n, "list commands", "%s contains no command", name)
	}
}

// onlyOne reports a command with more than one thing to do. The format has always allowed
// cmd, task and defer beside each other.
func (d *decoder) onlyOne(n *yaml.Node, f *commandForm) {
	var given []string
	for i, name := range doing {
		if f.given[i] {
			given = append(given, name)
		}
	}
	for i := givenExec; i < len(doing); i++ {
		if f.given[i] && len(given) > 1 {
			d.fail(n, "keep one of them", "a command cannot have %s", strings.Join(given, " and "))
			return
		}
	}
}

// placed reports members in places where they have no meaning.
func (d *decoder) placed(n *yaml.Node, c *Command) {
	for i := range c.Members {
		m := &c.Members[i]
		switch {
		case m.Defer:
			d.failAt(m.Pos, "move it out of the group", "defer cannot be used in a group of commands")
		case m.Kind == Tee && c.Kind != Pipe, m.Kind == Merge && c.Kind != Pipe:
			d.failAt(m.Pos, "put it into a pipe", "%s can only be used in a pipe", m.Kind.groupKey())
		case m.Kind == Tee && i == 0:
			d.failAt(m.Pos, "put a command before it", "a pipe begins with tee, which reads what a command before it writes")
		case m.Kind == Tee && i != len(c.Members)-1:
			d.failAt(m.Pos, "put it last", "tee is not the last of its pipe: nothing can read its output")
		case m.Kind == Merge && i != 0:
			d.failAt(m.Pos, "put it first", "merge is not the first of its pipe")
		case m.Kind == Parallel && c.Kind == Pipe:
			d.failAt(m.Pos, "use tee or merge", "parallel cannot be used in a pipe")
		case m.Background:
			d.failAt(m.Pos, "put background next to the group", "a member of a group cannot run in the background: the group ends with its members")
		case m.For != nil:
			d.failAt(m.Pos, "write the members separately, or put the loop around the group", "a member of a group cannot have for")
		}
		if (c.Kind == Pipe && i > 0 || c.Kind == Tee) && m.Processes != nil && m.Processes.Stdin != nil {
			d.failAt(m.Pos, "remove stdin, or make it the first of the pipe", "a member of a pipe cannot have stdin of its own")
		}
	}
	if c.Kind == Pipe && len(c.Members) == 1 {
		d.fail(n, "add a command that reads its output", "a pipe of one command")
	}
}

// checkStreams reports streams of a task that could never work.
func (d *decoder) checkStreams(t *Task) {
	for i := range t.Cmds {
		c := &t.Cmds[i]
		if t.Processes == nil && (!c.HasOptions() || c.Processes == nil && c.Members == nil && !c.Background) {
			continue
		}
		if c.Kind == Tee || c.Kind == Merge {
			d.failAt(c.Pos, "put it into a pipe", "%s can only be used in a pipe", c.Kind.groupKey())
		}
		p := t.ProcessesOf(c)
		if c.Background {
			d.checkBackground(t, c, p)
		}
		d.checkProcesses(c, p, Shell)
		d.checkMembers(t, c, c)
	}
}

// checkBackground reports keys that a command cannot have that continues after its task has ended.
func (d *decoder) checkBackground(t *Task, c *Command, p Processes) {
	switch {
	case t.Interactive:
		d.failAt(c.Pos, "remove one of them", "a command of an interactive task cannot run in the background: only one command can use the terminal")
	case c.calls():
		d.failAt(c.Pos, "put background on the commands of the task", "a call cannot run in the background: a task that calls another one waits for it")
	case p.Stdin != nil && p.Stdin.Kind == StdinFrom:
		d.failAt(c.Pos, "read the finished output instead: stdin: {output: "+quoteYAML(p.Stdin.Text.S)+"}", "a command that reads a stream cannot run in the background: the stream ends with the task")
	case p.Stdin != nil && p.Stdin.Kind == StdinInherit:
		d.failAt(c.Pos, "remove stdin: inherit", "a command in the background cannot read weft's own input")
	}
}

// calls reports whether c, or a member of it, calls a task.
func (c *Command) calls() bool {
	return c.Kind == Call || slices.ContainsFunc(c.Members, func(m Command) bool { return m.calls() })
}

// checkMembers checks the members of a group, which is in the entry outer of cmds.
func (d *decoder) checkMembers(t *Task, outer, group *Command) {
	for i := range group.Members {
		c := &group.Members[i]
		d.checkProcesses(c, t.ProcessesOfMember(outer, c), group.Kind)
		d.checkMembers(t, outer, c)
	}
}

// checkProcesses checks the process keys of c, a member of a group of that kind; Shell means that c
// is not a member.
func (d *decoder) checkProcesses(c *Command, p Processes, group CommandKind) {
	if p.TTY == True {
		if slices.ContainsFunc(p.Stdout, func(s Sink) bool { return s.Kind == SinkFile }) {
			d.failAt(c.Pos, "remove one of them", "a command with a terminal of its own (tty) cannot write a file: a terminal changes the output")
		}
		if group == Pipe || group == Tee || group == Merge {
			d.failAt(c.Pos, "remove tty", "a command of a pipe cannot have a terminal of its own (tty): a terminal changes the data")
		}
	}
	d.checkIPC(c, p.IPC)
	if p.Retry != nil && p.Retry.Max > 0 && p.Stdin != nil && p.Stdin.Kind == StdinFrom {
		d.failAt(c.Pos, "read the finished output instead: stdin: {output: "+quoteYAML(p.Stdin.Text.S)+"}", "a command that reads a stream cannot be retried: the stream can be read only once")
	}
}
