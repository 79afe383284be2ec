// Package plan turns a [Call] into a [Plan]: the dependency closure of one task
// call as an acyclic graph of [Step]s, each with everything bound that is
// needed to start it.
//
// Needs are expanded when planned, commands when reached: only `deps` become
// vertices, a task called from a body is one more Call that the running step
// hands to the scheduler. A Plan is immutable and knows no channels and no
// time. The package starts nothing itself: expansion gets information from the system (a task's
// `if`, the files of a loop) through [Host].
//
// # Commands
//
// A [Command] is complete: the keys of the workflow, the task, a group and the command itself are
// merged when it is bound, and nothing else is needed to run, fingerprint or send it.
// [Command.Encode] is its one canonical form. A task without templates has its commands made once,
// when the first of its steps runs, and all its steps share them; other tasks have theirs bound
// with each step. Two things are known only later: the outputs of needs and ports
// ([Expander.BindRuntimeValues]) and how the commands of the step ended, for deferred ones
// ([Step.BindDeferred]).
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
// A call that is among its own ancestors with equal arguments can never end. Through needs it is
// found while expanding, before anything starts; through bodies when the inner call is expanded.
// Either way it is a [CycleError] that shows the path. Calls that only repeat are not limited.
package plan

import (
	"time"

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

// Plan is an acyclic graph of steps: the closure of one or several calls.
type Plan struct {
	// Steps are in order of execution at one slot: depth first, as written,
	// needs before their dependents. A shared step occurs once.
	Steps []*Step
	// Needs are what each step needs, as written, and then what it comes after.
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

// When is the condition that a need must meet before the dependent step may start.
type When uint8

const (
	Succeeded When = iota // it has ended well
	Ready                 // it serves, or has succeeded
	Started               // it has started, whatever its outcome
	Ended                 // it has ended, successfully or not
	Together              // it starts at the same time: the step reads its output meanwhile, or sends it messages
	// After is not a need, but an order: the step waits until the other one has ended, successfully
	// or not, or is up if it Serves. The other's outcome makes no difference to the step or the
	// run, and the other is not needed by this.
	After
)

// Need is an edge of a [Plan]: what a step needs.
type Need struct {
	Limit time.Duration // how long the need may take; 0: no limit
	Step  int32         // its index in Plan.Steps
	When  When
	// Messages means that commands of the step send it messages, until they have ended. With
	// Together it is not a byte stream, which is a separate Need.
	Messages bool
}

// How a need is called in a drawing of the plan.
const (
	Stream     = "stream"
	ToReceiver = "messages"
	Order      = "after"
)

// Word describes a need in one word, except one that must succeed: [Stream], [ToReceiver], [Order],
// or the condition as in the file.
func (n Need) Word() string {
	switch {
	case n.Messages:
		return ToReceiver
	case n.When == Together:
		return Stream
	}
	return [...]string{Succeeded: "", Ready: "ready", Started: "started", Ended: "ended", After: Order}[n.When]
}

// Outlives reports whether the need may outlive its dependent.
func (w When) Outlives() bool { return w == Started || w == Ready }

// need is a [Need] before the steps of its plan have numbers.
type need struct {
	step  *Step
	terms *terms // nil: it must succeed, without a limit of time
}

// terms are the conditions on which a step needs another.
type terms struct {
	when     When
	messages bool
	limit    time.Duration
}
