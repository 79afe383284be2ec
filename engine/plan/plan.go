// Package plan turns a [Call] into a [Plan]: the dependency closure of one task
// call as an acyclic graph of [Step]s, each with everything bound that is
// needed to start it.
//
// Needs are expanded when planned, commands when reached: only `deps` become
// vertices, a task called from a body is one more Call that the running step
// hands to the scheduler. A Plan is immutable and knows no channels and no
// time. The package starts nothing itself: what expansion must ask of the
// world (a task's `if`, the files a loop runs over) it asks through [Host].
//
// # Identity
//
// Two calls are one Step when [Expander] gives them one key: with `run: once`
// the file and the local name (wildcard resolved), with `run: when_changed`
// that and every variable of the call. `run: always` has no key: one Step per
// need. A shared Step is one vertex however many need it, in every Plan of the
// run.
//
// # Cycles
//
// A call that stands among its own ancestors with equal arguments can never
// end. Through needs it is found while expanding, before anything starts;
// through bodies when the inner call is expanded. Either way it is a
// [CycleError] that shows the path. Calls that only repeat are not limited.
package plan

import (
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Call is a request to run a task. It is pure data.
type Call struct {
	Name   string      // as written: name, alias, or a name a wildcard matches
	Vars   schema.Vars // already bound by the caller's scope
	Pos    diag.Pos    // where it is written; not valid for the command line
	From   *Step       // the step that makes it; nil for the command line
	Silent bool        // `silent: true` beside the call: the task is not announced
	// Internal lets the command line call a task that is internal.
	Internal bool
}

// CommandLine reports whether the call was made by the user, not by a task.
func (c *Call) CommandLine() bool { return c.From == nil }

// Step is one task with everything bound that is needed to start it. It is
// immutable once its Plan is returned, except for its Scope, which belongs to
// whoever executes the step.
type Step struct {
	Task  *schema.Task
	Scope *vars.Scope

	Name   string   // full name, stars of a wildcard replaced by what they matched
	Label  string   // how it is shown: the label, else Name
	Prefix string   // for prefixed output: the prefix, else the task's name, stars and all
	Key    Key      // identity of a shared step; zero for `run: always`
	Pos    diag.Pos // of the call
	From   *Step    // the step that needs or calls it first; nil for the command line
	Skip   Skip     // why it will not run, if so
	Silent bool     // of the call, the task or the run

	Failfast bool // when one of its needs fails, those that only it needs are cancelled
	// complete steps have their needs; only such are shared.
	complete bool
	known    atomic.Bool
	Slots    uint16 // how many it takes while it runs; more than there are: all
	nested   int16  // calls from bodies above it
	depth    int32  // needs and calls above it

	facts *facts
	args  schema.Vars
	needs []need
	bound *bound // nil when the task says the same at every call
}

// Key is the identity of steps that are shared: those with equal keys are one
// within a run. It is comparable.
type Key struct {
	file *diag.File
	name string // of the task in its file, and all else that makes a difference
}

// Shared reports whether calls of the step's task may mean this same step.
func (s *Step) Shared() bool { return s.Key != Key{} }

// need is a [Need] before the steps of its plan have numbers.
type need struct {
	step  *Step
	terms *terms // nil: it must end well, and may take as long as it likes
}

// terms are what a step asks of a need.
type terms struct {
	when  When
	limit time.Duration
}

// Skip tells why a step ends at once, successfully.
type Skip uint8

const (
	NotSkipped Skip = iota
	ByPlatform
	ByIf
)

// bound is what binding a task that has templates or loops results in.
type bound struct {
	commands           []Command
	sources, generates []Glob
	status             []string
	preconditions      []Precondition
	prompts            []string
	outputs            []Output
	method             string
	reads              map[string]*Step // the needs whose outputs texts name
}

// Precondition is a bound schema.Precondition.
type Precondition struct{ Cmd, Msg string }

// Arguments is a text that tells the step's arguments from those of other
// calls of its task; "" for a call without any.
func (s *Step) Arguments() string {
	if len(s.args) == 0 {
		return ""
	}
	return fmt.Sprint(values(s.args))
}

// Late reports whether texts of s name what its needs put out.
func (s *Step) Late() bool { return s.facts.late }

// Needs calls f with every step that s needs, as written.
func (s *Step) Needs(f func(*Step)) {
	for _, n := range s.needs {
		f(n.step)
	}
}

// Adopt marks the step as known to the run that executes it: from then on it
// stands in further plans without its needs.
func (s *Step) Adopt() { s.known.Store(true) }

// Commands yields the step's commands in order, loops unrolled.
func (s *Step) Commands() iter.Seq2[int, *Command] {
	return func(yield func(int, *Command) bool) {
		commands := s.commands()
		for i := range commands {
			if !yield(i, &commands[i]) {
				return
			}
		}
	}
}

func (s *Step) commands() []Command {
	if s.bound != nil {
		return s.bound.commands
	}
	return s.facts.asWritten()
}

// Prompts returns the questions to be answered with yes before the commands.
func (s *Step) Prompts() []string {
	if s.bound != nil {
		return s.bound.prompts
	}
	return new(binder).texts(s.Task.Prompt)
}

// Preconditions returns what must hold before the commands.
func (s *Step) Preconditions() []Precondition {
	if s.bound != nil {
		return s.bound.preconditions
	}
	return new(binder).preconditions(s.Task.Preconditions)
}

// Plan is an acyclic graph of steps: the closure of one or several calls.
type Plan struct {
	// Steps are in order of execution at one slot: depth first, as written,
	// needs before what needs them. A shared step stands here once.
	Steps []*Step
	// Needs are what each step needs, as written.
	Needs [][]Need
	// Roots are the indexes of the steps that were called, in order of the calls.
	Roots []int32
	// Gangs are the steps that are started together, by their indexes: those that
	// needs with the condition Together connect, directly or over others.
	Gangs [][]int32
}

// Edges counts the needs.
func (p *Plan) Edges() int {
	n := 0
	for _, ns := range p.Needs {
		n += len(ns)
	}
	return n
}
