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

// facts are what is true of every call of a task. They are computed once.
type facts struct {
	task     *schema.Task
	workflow *schema.Workflow
	// process is that of the commands which say nothing of their own; nil if it must
	// be bound for each.
	process *Process
	// written is what the texts of a static task come to, and commands what its commands do,
	// once making is done.
	written  *bound
	commands []Command
	making   sync.Once

	mode mode
	// static tasks say the same at every call: no template, no loop, nothing
	// that must be asked or computed before they can start.
	static      bool
	bindProcess bool // keys of the task about processes hold templates
	checksum    bool // mentions CHECKSUM where it is defined
	timestamp   bool // mentions TIMESTAMP where it is defined
	afterwards  bool // has texts that are expanded while it runs
	calls       bool // has calls among its commands
	fails       bool // variables of its own can fail on purpose

	details *details // never nil
	refs    atomic.Pointer[vars.Refs]
	// once is the step that all calls of a `run: once` task are, unless what
	// it requires must be looked at for each.
	once atomic.Pointer[Step]
}

// details are facts that are empty for most tasks.
type details struct {
	outputs   []outputName     // those of its needs that its texts name
	deferred  []string         // templates in deferred commands
	streams   []*schema.Stdin  // the tasks whose output it reads as its stdin
	misplaced *diag.Diagnostic // the first text that names outputs where there are none yet
}

var noDetails details

// detail returns the details, to be added to.
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
	names := x.outputs()
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		f.text(&p, text)
		if names {
			f.noteOutputs(&p, text)
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

// text notes what a text makes true of the task.
func (f *facts) text(p *schema.Place, text schema.Text) {
	if p.Key == schema.KeyStdinTask {
		d := f.detail()
		d.streams = append(d.streams, p.Processes().Stdin)
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

// noteOutputs notes the outputs that a text names.
func (f *facts) noteOutputs(p *schema.Place, text schema.Text) {
	refs := outputRefs(p, text.S)
	if len(refs) == 0 || phaseOf(p) == unused {
		return
	}
	if d := misplaced(p, text); d != nil {
		f.detail().misplaced = cmp.Or(f.details.misplaced, d)
		return
	}
	f.afterwards = true
	for _, ref := range refs {
		d := f.detail()
		d.outputs = append(d.outputs, outputName{ref, text.Pos})
	}
}

// command notes what a command makes true of the task.
func (f *facts) command(c *schema.Command) {
	if c.Kind == schema.Call {
		f.calls = true
	}
	if len(c.Vars) > 0 || c.HasOptions() && c.For != nil {
		f.static = false
	}
	f.afterwards = f.afterwards || c.Defer && f.bindProcess
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

// captured are the names of tasks whose output some text or stdin of the workflow
// asks for.
type captured struct {
	once  sync.Once
	names map[string]bool
	all   bool // some are only known when they are asked for
}

// Captured reports whether something in the workflow may ask for what t writes to
// its standard output, once it has ended. It is safe for concurrent use.
func (x *Expander) Captured(t *schema.Task) bool {
	c := &x.captured
	c.once.Do(func() { c.find(x.o.Workflow) })
	if c.all || len(c.names) == 0 {
		return c.all
	}
	return c.names[t.Name] || c.names[t.LocalName] || c.names[t.Label.S] || isTemplate(t.Label.S) || strings.Contains(t.Name, "*") ||
		slices.ContainsFunc(t.Aliases, func(a string) bool { return c.names[a] || c.names[a[strings.LastIndexByte(a, ':')+1:]] })
}

func (c *captured) find(w *schema.Workflow) {
	c.names = map[string]bool{}
	name := func(s string) {
		c.all = c.all || isTemplate(s)
		c.names[s] = true
	}
	files := map[*diag.File]bool{} // whether it can ask at all
	for _, t := range w.Tasks {
		asks, known := files[t.File]
		if !known {
			asks = mayNameOutputs(t.File)
			files[t.File] = asks
		}
		if !asks {
			continue
		}
		f := facts{task: t, details: &noDetails}
		schema.EachText(t, func(p schema.Place, text schema.Text) {
			f.text(&p, text)
			f.noteOutputs(&p, text)
		})
		for _, o := range f.details.outputs {
			if o.Literal { // others are an error where they stand
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
