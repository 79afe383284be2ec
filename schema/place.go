package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// TextKind tells what a text is.
type TextKind uint8

const (
	PlainText    TextKind = iota // a template whose result is used as it is
	Script                       // a template whose result is a shell script
	Condition                    // a script whose exit status is the answer
	TaskName                     // a template whose result is the name of a task
	Path                         // a template whose result is the name of a file or directory
	Pattern                      // a template whose result names files, as in *.go
	Word                         // a template whose result is one of a few words
	Expression                   // a template without its braces
	VariableName                 // no template
	Literal                      // no template: an item of a list, taken as it is written
)

// Key is the key of a task, a command or a file that a text is the value of.
type Key uint8

const (
	KeyDesc Key = iota
	KeySummary
	KeyLabel
	KeyPrefix
	KeyDir
	KeyDotenv
	KeyRun
	KeyMethod
	KeyIf // of a task or a command
	KeyPrompt
	KeyStatus
	KeyPrecondition
	KeyPreconditionMsg
	KeyRequiredName
	KeyRequiredEnum
	KeySources
	KeyGenerates
	KeyOutputs
	KeyVars // of a file, a task or a call
	KeyEnv
	KeyIncludeVars
	KeyGroupBegin
	KeyGroupEnd
	KeyCmd
	KeyTask
	KeyExec
	KeyFor // an item of the list, or the word
	KeyForVar
	KeyForMatrix
	KeyForMatrixRef
	KeyStopCmd // this and the ones below are of a task or a command
	KeyStdinText
	KeyStdinFile
	KeyStdinTask
	KeyStdinVars
	KeyStdoutFile
	KeyStderrFile
)

// textKeys describe the keys: where several texts are the values of one, each has its
// number between name and part.
var textKeys = [...]struct {
	name string
	part string
	many bool
	kind TextKind
}{
	KeyDesc:            {name: "desc"},
	KeySummary:         {name: "summary"},
	KeyLabel:           {name: "label"},
	KeyPrefix:          {name: "prefix"},
	KeyDir:             {name: "dir", kind: Path},
	KeyDotenv:          {name: "dotenv", many: true, kind: Path},
	KeyRun:             {name: "run", kind: Word},
	KeyMethod:          {name: "method", kind: Word},
	KeyIf:              {name: "if", kind: Condition},
	KeyPrompt:          {name: "prompt", many: true},
	KeyStatus:          {name: "status", many: true, kind: Condition},
	KeyPrecondition:    {name: "preconditions", part: ".sh", many: true, kind: Condition},
	KeyPreconditionMsg: {name: "preconditions", part: ".msg", many: true},
	KeyRequiredName:    {name: "requires.vars", part: ".name", many: true, kind: VariableName},
	KeyRequiredEnum:    {name: "requires.vars", part: ".enum.ref", many: true, kind: Expression},
	KeySources:         {name: "sources", many: true, kind: Pattern},
	KeyGenerates:       {name: "generates", many: true, kind: Pattern},
	KeyOutputs:         {name: "outputs", part: ".from"},
	KeyVars:            {name: "vars"},
	KeyEnv:             {name: "env"},
	KeyIncludeVars:     {name: "includes.vars"},
	KeyGroupBegin:      {name: "output.group.begin"},
	KeyGroupEnd:        {name: "output.group.end"},
	KeyCmd:             {name: "cmd", kind: Script},
	KeyTask:            {name: "task", kind: TaskName},
	KeyExec:            {name: "exec", many: true},
	KeyFor:             {name: "for", kind: Literal},
	KeyForVar:          {name: "for.var", kind: VariableName},
	KeyForMatrix:       {name: "for.matrix", kind: Literal},
	KeyForMatrixRef:    {name: "for.matrix", part: ".ref", kind: Expression},
	KeyStopCmd:         {name: "stop.cmd", kind: Script},
	KeyStdinText:       {name: "stdin.text"},
	KeyStdinFile:       {name: "stdin.file", kind: Path},
	KeyStdinTask:       {name: "stdin", part: ".task", kind: TaskName},
	KeyStdinVars:       {name: "stdin", part: ".vars"},
	KeyStdoutFile:      {name: "stdout", part: ".file", many: true, kind: Path},
	KeyStderrFile:      {name: "stderr", part: ".file", many: true, kind: Path},
}

// String returns the key as it is written, with those around it: "stdin.text".
func (k Key) String() string { return textKeys[k].name }

// OfProcesses reports whether k is one of the keys about processes: see [Processes].
func (k Key) OfProcesses() bool { return k >= KeyStopCmd }

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
		return Expression
	}
	return Script
}

// Expands reports whether what t, the text at p, comes to may differ from what is
// written.
func (p *Place) Expands(t Text) bool {
	switch p.Kind() {
	case Expression, VariableName:
		return true
	case Literal:
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
	in := w.Shell
	look := func(o *Processes) {
		if o != nil {
			override(&in, o.Shell)
		}
	}
	if p.Task != nil {
		look(p.Task.Processes)
	}
	if len(p.Groups) > 0 {
		look(p.Groups[0].Processes)
	}
	if p.Command != nil {
		look(p.Command.Processes)
	}
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
