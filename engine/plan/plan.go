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
	"iter"
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
}

// Mode is what becomes of equal calls.
type Mode uint8

const (
	Always Mode = iota
	Once
	WhenChanged
)

// Step is one task with everything bound that is needed to start it. It is
// immutable once its Plan is returned, except for its Scope, which belongs to
// whoever executes the step.
type Step struct {
	Task  *schema.Task
	Scope *vars.Scope

	Name    string // full name, stars of a wildcard replaced by what they matched
	Label   string // how it is shown: the label, else Name
	Prefix  string // for prefixed output: the prefix, else Label's name
	Key     string // identity of a shared step; "" for `run: always`
	Mode    Mode
	Pos     diag.Pos // of the call
	From    *Step    // the step that needs or calls it first; nil for the command line
	Silent  bool     // of the call, the task or the run
	Skip    Skip     // why it will not run, if so
	Bound   *Bound   // nil when the task is static: see Commands
	timeout time.Duration
	depth   int32
}

// Skip tells why a step ends at once, successfully.
type Skip uint8

const (
	NotSkipped Skip = iota
	ByPlatform
	ByIf
)

// Bound is what binding a task that has templates or loops results in.
type Bound struct {
	Commands           []Command
	Sources, Generates []Glob
	Status             []string
	Preconditions      []Precondition
	Prompt             []string
	Method             string
}

// Precondition is a bound schema.Precondition.
type Precondition struct{ Cmd, Msg string }

// Glob is a bound schema.Glob: the template is gone, the pattern remains.
type Glob struct {
	Pattern string
	Exclude bool
	Pos     diag.Pos
}

// Command is one bound command.
type Command struct {
	Source *schema.Command
	Text   string      // script or task name; for a deferred command still a template
	Shown  string      // Text with secrets masked
	If     string      // "" means always
	Vars   schema.Vars // of a call
	// Scope is the scope a deferred command is bound in when it runs, loop
	// variables included; nil otherwise.
	Scope *vars.Scope
}

// Timeout is how long the step may take as a need: 0 means without limit.
func (s *Step) Timeout() time.Duration { return s.timeout }

// Depth is the number of calls the step stands in; 0 for the command line.
func (s *Step) Depth() int { return int(s.depth) }

// Commands yields the step's commands in order, loops unrolled.
func (s *Step) Commands() iter.Seq2[int, Command] {
	return func(yield func(int, Command) bool) {
		if s.Bound != nil {
			for i, c := range s.Bound.Commands {
				if !yield(i, c) {
					return
				}
			}
			return
		}
		for i := range s.Task.Cmds {
			c := &s.Task.Cmds[i]
			if !yield(i, Command{Source: c, Text: c.Text.S, Shown: c.Text.S, If: c.If.S, Vars: c.Vars}) {
				return
			}
		}
	}
}

// Plan is an acyclic graph of steps: the closure of one or several calls.
type Plan struct {
	// Steps are in order of execution at one slot: depth first, as written,
	// needs before what needs them. A shared step stands here once.
	Steps []*Step
	// Needs are, for each step, the indexes of the steps it needs, as written.
	Needs [][]int32
	// Roots are the indexes of the steps that were called, in order of the calls.
	Roots []int32
}

// Edges counts the needs.
func (p *Plan) Edges() int {
	n := 0
	for _, ns := range p.Needs {
		n += len(ns)
	}
	return n
}
