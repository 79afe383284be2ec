package plan

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// facts are properties common to every call of a task. They are computed once.
type facts struct {
	task     *schema.Task
	workflow *schema.Workflow
	// process is that of the commands without own keys; nil if it must be bound for each.
	process *Process
	// written are the bound texts of a static task, and commands its bound commands, once making is
	// done.
	written  *bound
	commands []Command
	making   sync.Once

	mode mode
	// static tasks are the same at every call: no template, no loop, nothing that must be prompted
	// for or computed before they can start.
	static      bool
	bindProcess bool // keys of the task about processes hold templates
	checksum    bool // mentions CHECKSUM where it is defined
	timestamp   bool // mentions TIMESTAMP where it is defined
	afterwards  bool // has texts that are expanded while it runs
	calls       bool // has calls among its commands
	fails       bool // variables of its own can fail on purpose
	background  bool // has commands that continue when it has ended
	channel     bool // has a channel for messages

	details *details // never nil
	refs    atomic.Pointer[vars.Refs]
	// once is the step of all calls of a `run: once` task, unless its required variables must be
	// checked for each.
	once atomic.Pointer[Step]
}

// details are facts that are empty for most tasks.
type details struct {
	runtimeNames []runtimeName    // outputs and ports that its texts name
	deferred     []string         // templates in deferred commands
	streams      []*schema.Stdin  // the tasks whose output it reads as its stdin
	receivers    []*schema.IPC    // the channels whose messages tasks get
	misplaced    *diag.Diagnostic // the first text that names them where they are not known yet
}

var noDetails details

// detail returns the details for adding to them.
func (f *facts) detail() *details {
	if f.details == &noDetails {
		f.details = &details{}
	}
	return f.details
}

// factsOf returns the facts of t.
func (x *Expander) factsOf(t *schema.Task) *facts {
	known := &x.facts[t.Index]
	if f := known.Load(); f != nil {
		return f
	}
	f := &facts{task: t, workflow: x.o.Workflow, details: &noDetails, static: t.If.S == "", fails: x.o.Resolver.CanFail(t.Vars)}
	f.mode = modeOf(f.run().S)
	f.channel = t.Processes.HasChannel()
	names := len(x.runtimeFiles()) > 0
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		f.text(&p, text)
		if names {
			f.noteRuntimeName(&p, text)
		}
	})
	schema.EachCommand(t.Cmds, f.command)
	switch {
	case f.bindProcess:
	case t.Processes == nil && len(t.Set) == 0 && len(t.Shopt) == 0:
		f.process = x.process
	default:
		f.process = f.ownProcess()
	}
	if !known.CompareAndSwap(nil, f) {
		return known.Load()
	}
	return f
}

// text records the facts that follow from a text.
func (f *facts) text(p *schema.Place, text schema.Text) {
	if p.Key == schema.KeyStdinTask {
		d := f.detail()
		d.streams = append(d.streams, p.Processes().Stdin)
	}
	if p.Key == schema.KeyIPCTo {
		d := f.detail()
		d.receivers = append(d.receivers, p.Processes().IPC)
	}
	if len(f.task.Sources) > 0 && fingerprinted(p) {
		f.checksum = f.checksum || strings.Contains(text.S, "CHECKSUM")
		f.timestamp = f.timestamp || strings.Contains(text.S, "TIMESTAMP")
		f.static = f.static && !f.checksum && !f.timestamp
	}
	when := phaseOf(p)
	if when < needed || p.Need || !p.Expands(text) {
		return
	}
	f.static = false
	f.bindProcess = f.bindProcess || p.Command == nil && p.Key.OfProcesses()
	if when == afterwards {
		f.afterwards = true
		d := f.detail()
		d.deferred = append(d.deferred, template(p, text.S))
	}
}

// noteRuntimeName records the outputs and ports that a text names.
func (f *facts) noteRuntimeName(p *schema.Place, text schema.Text) {
	refs := runtimeRefs(p, text.S)
	if len(refs) == 0 || phaseOf(p) == unused {
		return
	}
	if d := misplaced(p, text, refs[0]); d != nil {
		f.detail().misplaced = cmp.Or(f.details.misplaced, d)
		return
	}
	f.afterwards, f.static = true, false // also where only env names one
	for _, ref := range refs {
		d := f.detail()
		d.runtimeNames = append(d.runtimeNames, runtimeName{ref, text.Pos})
	}
}

// command records the facts that follow from a command.
func (f *facts) command(c *schema.Command) {
	if c.Kind == schema.Call {
		f.calls = true
	}
	if len(c.Vars) > 0 || c.HasOptions() && c.For != nil {
		f.static = false
	}
	f.afterwards = f.afterwards || c.Defer && f.bindProcess
	f.background = f.background || c.HasOptions() && c.Background
	f.channel = f.channel || c.HasOptions() && c.Processes.HasChannel()
}

// captured are the names of tasks whose output a text or stdin of the workflow uses.
type captured struct {
	once  sync.Once
	names map[string]bool
	all   bool // some are only known at run time
}

// Captured reports whether the workflow may use the standard output of t after its end. It is safe
// for concurrent use.
func (x *Expander) Captured(t *schema.Task) bool {
	c := &x.captured
	c.once.Do(func() { c.find(x.o.Workflow, x.runtimeFiles()) })
	if c.all || len(c.names) == 0 {
		return c.all
	}
	return c.names[t.Name] || c.names[t.LocalName] || c.names[t.Label.S] || schema.IsTemplate(t.Label.S) || strings.Contains(t.Name, "*") ||
		slices.ContainsFunc(t.Aliases, func(a string) bool { return c.names[a] || c.names[a[strings.LastIndexByte(a, ':')+1:]] })
}

// find inspects the texts of the tasks of w in the files that may name outputs.
func (c *captured) find(w *schema.Workflow, files map[*diag.File]bool) {
	if len(files) == 0 {
		return
	}
	c.names = map[string]bool{}
	name := func(s string) {
		c.all = c.all || schema.IsTemplate(s)
		c.names[s] = true
	}
	for _, t := range w.Tasks {
		if !files[t.Pos.File] {
			continue
		}
		f := facts{task: t, details: &noDetails}
		schema.EachText(t, func(p schema.Place, text schema.Text) {
			f.text(&p, text)
			f.noteRuntimeName(&p, text)
		})
		for _, o := range f.details.runtimeNames {
			if o.Literal && !o.Port { // others are reported as errors elsewhere
				name(o.Task)
			}
		}
		for _, in := range f.details.streams {
			if in.Kind == schema.StdinOutput {
				name(in.Text.S)
			}
		}
	}
}
