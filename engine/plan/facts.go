package plan

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// mode is what becomes of equal calls.
type mode uint8

const (
	modeAlways mode = iota
	modeOnce
	modeWhenChanged
	modeTemplate // depends on the call
	modeUnknown  // an error when the step is to run
)

func modeOf(text string) mode {
	switch text {
	case "", "always":
		return modeAlways
	case "once":
		return modeOnce
	case "when_changed":
		return modeWhenChanged
	}
	if strings.Contains(text, "{{") {
		return modeTemplate
	}
	return modeUnknown
}

// facts are what is true of every call of a task. They are computed once.
type facts struct {
	task     *schema.Task
	workflow *schema.Workflow
	// process is that of the commands which say nothing of their own; nil if it must
	// be bound for each.
	process *Process
	// commands are those of a static task, once making is done.
	commands []Command
	making   sync.Once

	mode mode
	// static tasks say the same at every call: no template, no loop, nothing
	// that must be asked or computed before they can start.
	static    bool
	checksum  bool // mentions CHECKSUM where it is defined
	timestamp bool // mentions TIMESTAMP where it is defined
	// late tasks have texts that name outputs of their needs; outputs are the names.
	late    bool
	outputs []outputName
	// streams are the tasks whose output it reads as its stdin.
	streams []*schema.Stdin
	// misplaced are the errors about texts that name outputs where there are none yet.
	misplaced []*diag.Diagnostic
	later     bool // has texts that are expanded while it runs
	calls     bool // has calls among its commands
	fails     bool // variables of its own can fail on purpose
	refs      atomic.Pointer[vars.Refs]
	// once is the step that all calls of a `run: once` task are, unless what
	// it requires must be looked at for each.
	once atomic.Pointer[Step]
}

// factsOf returns the facts of t.
func (x *Expander) factsOf(t *schema.Task) *facts {
	known := &x.facts[t.Index]
	if f := known.Load(); f != nil {
		return f
	}
	run := t.Run.S
	if run == "" {
		run = x.o.Workflow.Run.S
	}
	f := &facts{task: t, workflow: x.o.Workflow, mode: modeOf(run), static: isStatic(t)}
	if t.Processes == nil && len(t.Set) == 0 && len(t.Shopt) == 0 {
		f.process = x.process
	} else if staticProcesses(t.Processes) {
		f.process = f.ownProcess()
	}
	if x.outputs() {
		f.findOutputs(t)
	}
	f.findStdin(t)
	f.later, f.calls, f.fails = isLater(t, f.late), callsTasks(t.Cmds), x.o.Resolver.CanFail(t.Vars)
	if len(t.Sources) > 0 {
		f.checksum = mentions(t, "CHECKSUM")
		f.timestamp = mentions(t, "TIMESTAMP")
	}
	if !known.CompareAndSwap(nil, f) {
		return known.Load()
	}
	return f
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

func isStatic(t *schema.Task) bool {
	if isTemplate(t.Label.S) || isTemplate(t.Prefix.S) || isTemplate(t.Method.S) || t.If.S != "" {
		return false
	}
	for _, ts := range [...][]schema.Text{t.Status, t.Prompt} {
		for _, text := range ts {
			if isTemplate(text.S) {
				return false
			}
		}
	}
	for _, gs := range [...][]schema.Glob{t.Sources, t.Generates} {
		for _, g := range gs {
			if isTemplate(g.Pattern.S) {
				return false
			}
		}
	}
	for _, o := range t.Outputs {
		if isTemplate(o.From.S) {
			return false
		}
	}
	for _, p := range t.Preconditions {
		if isTemplate(p.Cmd.S) || isTemplate(p.Msg.S) {
			return false
		}
	}
	return staticProcesses(t.Processes) && staticCommands(t.Cmds)
}

func staticCommands(cs []schema.Command) bool {
	for i := range cs {
		c := &cs[i]
		if c.For != nil || len(c.Vars) > 0 || isTemplate(c.Text.S) || isTemplate(c.If.S) {
			return false
		}
		if slices.ContainsFunc(c.Members, emptyScript) {
			return false // binding leaves them out
		}
		if c.CommandOptions != nil && (c.Processes != nil && !staticProcesses(c.Processes) || !staticCommands(c.Members)) {
			return false
		}
	}
	return true
}

func emptyScript(c schema.Command) bool { return c.Kind == schema.Shell && c.Text.S == "" }

// staticProcesses reports whether nothing in p is a template.
func staticProcesses(p *schema.Processes) bool {
	if p == nil {
		return true
	}
	if isTemplate(p.Stop.Command.S) || p.Stdin != nil && (isTemplate(p.Stdin.Text.S) || len(p.Stdin.Vars) > 0) {
		return false
	}
	for _, sinks := range [...][]schema.Sink{p.Stdout, p.Stderr} {
		for _, s := range sinks {
			if isTemplate(s.File.S) {
				return false
			}
		}
	}
	return true
}

// mentions reports whether t names word where CHECKSUM and TIMESTAMP are defined.
func mentions(t *schema.Task, word string) bool {
	for _, cs := range [...][]schema.Command{t.Cmds, t.Deps} {
		for i := range cs {
			if strings.Contains(cs[i].Text.S, word) || varsMention(cs[i].Vars, word) {
				return true
			}
		}
	}
	for _, s := range t.Status {
		if strings.Contains(s.S, word) {
			return true
		}
	}
	for _, p := range t.Preconditions {
		if strings.Contains(p.Cmd.S, word) || strings.Contains(p.Msg.S, word) {
			return true
		}
	}
	return false
}

func varsMention(vs schema.Vars, word string) bool {
	for _, v := range vs {
		if text, ok := v.Value.(string); ok && strings.Contains(text, word) || strings.Contains(v.Text, word) {
			return true
		}
	}
	return false
}
