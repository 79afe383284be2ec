package schema

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Place tells where a text stands.
type Place struct {
	Task    *Task    // nil: outside of all tasks
	Command *Command // nil: the text is one of the task itself
	Need    bool     // Command is one of the task's deps
	Key     Key
	// Index counts the values of Key, where there may be several: the item of
	// Task.Sources, Command.For.Matrix, Processes().Stdout and so on.
	Index int32
	Var   *Var // the variable that is defined by the text, if one is
	// Groups are the commands that Command is a member of, the outermost first. They
	// are valid until the function returns that was given the place.
	Groups []*Command
}

// Kind returns what the text at p is.
func (p *Place) Kind() TextKind {
	switch {
	case p.Var == nil || p.Var.Kind == Static:
		return textKeys[p.Key].kind
	case p.Var.Kind == Ref:
		return TextExpression
	}
	return TextScript
}

// Expands reports whether what t, the text at p, comes to may differ from what is
// written.
func (p *Place) Expands(t Text) bool {
	switch p.Kind() {
	case TextExpression, TextVariable:
		return true
	case TextLiteral:
		return false
	}
	return isTemplate(t.S)
}

// Processes returns the keys about processes of the command at p, or of the task where
// there is none; nil if it has none of them.
func (p *Place) Processes() *Processes {
	if p.Command != nil {
		return p.Command.Processes
	}
	return p.Task.Processes
}

// Interpreter returns what the file has chosen to run scripts at p; nil is the
// interpreter in weft itself. Of the scripts, [KeyCmd] alone is run by another.
func (p *Place) Interpreter(w *Workflow) *Interpreter {
	var task, group, command *Processes
	if p.Task != nil {
		task = p.Task.Processes
	}
	if len(p.Groups) > 0 {
		group = p.Groups[0].Processes
	}
	if p.Command != nil {
		command = p.Command.Processes
	}
	in := cmp.Or(merged(task, group, command).Shell, w.Shell)
	if in == nil || in.Argv == nil {
		return nil
	}
	return in
}

// About begins a message about the text at p: `task "build": `, `variable "X": `.
func (p *Place) About() string {
	about := ""
	if p.Task != nil {
		about = fmt.Sprintf("task %q: ", p.Task.Name)
	}
	if p.Var != nil {
		about += fmt.Sprintf("variable %q: ", p.Var.Name)
	}
	return about
}

// What names the text at p, a script, in a message: "command", "status".
func (p *Place) What() string {
	switch {
	case p.Var != nil:
		return "sh"
	case p.Key == KeyCmd:
		return "command"
	case p.Key == KeyPrecondition:
		return "precondition"
	}
	return p.Key.String()
}

// Path names the place inside its task, or its file: "cmds[2].stdin.text". It is made
// anew by each call.
func (p *Place) Path() string {
	var b strings.Builder
	if p.Command != nil {
		p.writeCommand(&b)
	}
	k := &textKeys[p.Key]
	switch name := k.name; {
	case p.Command != nil && p.Command.Defer && p.Key == KeyCmd:
		b.WriteString("defer")
	case p.Command != nil && p.Command.Defer:
		b.WriteString("defer." + name)
	case p.Key == KeyStdinTask || p.Key == KeyStdinVars:
		from := "from"
		if p.Processes().Stdin.Kind == StdinOutput {
			from = "output"
		}
		b.WriteString(name + "." + from)
	default:
		b.WriteString(name)
	}
	switch {
	case p.Key == KeyOutputs:
		b.WriteString("." + p.Task.Outputs[p.Index].Name)
	case p.Key == KeyForMatrix || p.Key == KeyForMatrixRef:
		b.WriteString("." + p.Command.For.Matrix[p.Index].Name)
	case k.many:
		writeIndex(&b, int(p.Index))
	}
	b.WriteString(k.part)
	if p.Key == KeySources && p.Task.Sources[p.Index].Exclude || p.Key == KeyGenerates && p.Task.Generates[p.Index].Exclude {
		b.WriteString(".exclude")
	}
	if v := p.Var; v != nil {
		b.WriteString("." + v.Name + [...]string{Static: "", Dynamic: ".sh", Ref: ".ref"}[v.Kind])
	}
	return b.String()
}

// writeCommand writes where the command at p stands, and the dot before its keys.
func (p *Place) writeCommand(b *strings.Builder) {
	name, list := "cmds", p.Task.Cmds
	if p.Need {
		name, list = "deps", p.Task.Deps
	}
	for i := range len(p.Groups) + 1 {
		c := p.Command
		if i < len(p.Groups) {
			c = p.Groups[i]
		}
		b.WriteString(name)
		for n := range list {
			if &list[n] == c {
				writeIndex(b, n)
				break
			}
		}
		b.WriteByte('.')
		if i < len(p.Groups) {
			name, list = c.Kind.groupKey(), c.Members
		}
	}
}

func writeIndex(b *strings.Builder, i int) { b.WriteString("[" + strconv.Itoa(i) + "]") }
