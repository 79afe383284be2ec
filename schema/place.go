package schema

import (
	"cmp"
	"fmt"
)

// Place is the place of a text in a workflow.
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
//
//go:noinline
func (p *Place) Kind() TextKind {
	switch {
	case p.Var == nil || p.Var.Kind == Static:
		return textKeys[p.Key].kind
	case p.Var.Kind == Ref:
		return TextExpression
	}
	return TextScript
}

// Expands reports whether the expansion of t, the text at p, may differ from its source.
func (p *Place) Expands(t Text) bool {
	switch p.Kind() {
	case TextExpression, TextVariable:
		return true
	case TextLiteral:
		return false
	}
	return IsTemplate(t.S)
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
