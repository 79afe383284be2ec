// Package executor takes one step to its end: an Executor turns a plan.Step into a
// sched.Outcome.
//
// The way is a chain of layers around a [Body], each in a file of its own. A layer ends the
// step, or hands it on with what it has found out ([Bound]):
//
//	streams ─▶ skip ─▶ bind ─▶ require ─▶ fresh ─▶ prompt ─▶ outputs ─▶ body
//
// The package decides whether a step runs at all, keeps its outputs and its fingerprint, and
// hands outputs and streams from one step to another. It does not know how a step is done: it
// starts no process, and others implement [Body]. The scheduler decides about order and slots.
//
// # Other steps
//
// A body knows no step but its own. What it needs of others is in Bound: files that its
// commands are connected to ([Ends]), files that other steps write or have written
// ([Bound.OpenInput]), and calls of tasks, which may be connected to its commands
// ([Bound.Call], [Bound.CallConnected]). Behind these stands one exchange for all steps of a
// run. So a command that is connected to another step is run like any other.
package executor

import (
	"cmp"
	"context"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

// Options configure an Executor. Root, Body, Test, State, Tree and Checker
// are required.
type Options struct {
	Root     string // directory of the root file, absolute
	Body     Body
	Test     Test
	State    *state.Store
	Tree     *glob.Tree
	Checker  *fingerprint.Checker // of State and Tree
	Clock    *clock.Clock         // of time limits; nil is one that never stands still
	Expander *plan.Expander       // binds texts that name outputs; nil if there are none
	Secrets  *pipe.Secrets        // are masked in what is reported; nil if there are none
	Large    *pipe.Large          // counts the pipes of the run that are larger than usual; nil means those of this executor
	Run      string               // identity of the run, for the cookies of its processes

	Dry       bool
	Force     func(*plan.Step) bool // run although up to date; nil: never
	AssumeYes bool
	Confirm   func(ctx context.Context, task, text string) error // asks a prompt; an error ends the step

	Notify func(event.Event) // takes the events of steps that are only looked at

	// Flush returns when every event emitted so far has been reported.
	Flush func()
}

// Executor executes steps. It is safe for concurrent use.
type Executor struct {
	o     Options
	chain Body
	bind  *bind
	fresh *fresh
	steps exchange
}

// New returns an Executor.
func New(o Options) *Executor {
	o.Secrets, o.Large = cmp.Or(o.Secrets, new(pipe.Secrets)), cmp.Or(o.Large, new(pipe.Large))
	x := &Executor{o: o, steps: exchange{dry: o.Dry}}
	outputs := &outputs{next: o.Body, file: o.State.OutputFile, dry: o.Dry}
	prompt := &prompt{next: outputs, confirm: o.Confirm, flush: o.Flush, yes: o.AssumeYes, dry: o.Dry}
	x.fresh = &fresh{next: prompt, test: o.Test, checker: o.Checker, tree: o.Tree, root: o.Root, secrets: o.Secrets, dry: o.Dry}
	require := &require{next: x.fresh, test: o.Test, dry: o.Dry}
	x.bind = &bind{next: require, expander: o.Expander, root: o.Root}
	x.chain = &streams{next: &skip{next: x.bind}, clock: o.Clock, large: o.Large}
	return x
}

// Execute implements sched.Executor.
func (x *Executor) Execute(ctx context.Context, s *plan.Step, env *sched.Env) sched.Outcome {
	if limit := s.Task.Timeout; limit > 0 {
		limited, done := sched.WithLimit(ctx, x.o.Clock, &sched.TimedOut{Name: s.Label, After: limit, Limit: sched.TaskLimit})
		defer done()
		ctx = limited
	}
	b := &Bound{Step: s, Env: env, ID: env.ID, Cookie: proc.Cookie{Run: x.o.Run, Step: int(env.ID)}, Stdin: env.Stdin,
		Forced: x.o.Force != nil && x.o.Force(s), Ends: x.steps.endsOf(s), steps: &x.steps, gang: env.Gang}
	r := x.chain.Run(ctx, b)
	b.Ends.close()
	r.Usage.Add(b.used)
	out := sched.Outcome{Result: r.Outcome, Err: r.Err, Code: ExitCode(r.Err), Usage: r.Usage}
	if r.Err == nil && r.Output != nil && len(r.Output.Values) > 0 {
		out.Outputs = mapTexts(r.Output.Values, x.o.Secrets.Mask).(map[string]any)
	}
	return out
}
