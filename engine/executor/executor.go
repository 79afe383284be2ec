// Package executor takes one step to its end: an Executor turns a plan.Step into a sched.Outcome.
//
// A step passes through a chain of layers around a [Body], each in a file of its own. A layer ends
// the step, or passes it on with its results ([Bound]):
//
//	streams ─▶ skip ─▶ ports ─▶ bind ─▶ require ─▶ fresh ─▶ cached ─▶ prompt ─▶ elsewhere ─▶ outputs ─▶ body
//
// The package decides whether a step runs at all, keeps its outputs and its fingerprint, and passes
// outputs and streams from one step to another. It does not know how a step is performed: it starts
// no process, and other packages implement [Body]. The scheduler decides about order and slots.
//
// Most steps of most runs are up to date, which a quick check of a few named files can tell
// (quickcheck.go, ahead.go): such a step does not pass through the layers at all.
//
// A step that is performed elsewhere may leave its outputs there (left.go). Then they are inputs of later
// steps there without being files here, and are brought here before a process may read them.
//
// # Other steps
//
// A body knows only its own step. Bound contains what it needs of others: files that its commands
// are connected to ([Streams]), files that other steps write or have written ([Bound.OpenInput]),
// and calls of tasks, which may be connected to its commands ([Bound.Call], [Bound.CallConnected]).
// They are implemented by one exchange for all steps of a run. So a command that is connected to
// another step is run like any other.
package executor

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/socket"
	"github.com/weftrun/weft/internal/limit"
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
	Clock    *clock.Clock         // for time limits; nil means one that never pauses
	Expander *plan.Expander       // binds texts that name outputs; may be nil
	Secrets  *pipe.Secrets        // masked in events; may be nil
	Ports    *socket.Ports        // assigns ports, also for other executors; nil: a private one
	Large    *pipe.Enlarger       // counts the enlarged pipes of the run; nil: a private one
	Cache    func() *Cache        // opens the cache, on the first use; may be nil, or return nil
	Run      string               // identity of the run, for the cookies of its processes
	Gather   *Gathering           // nil: the run performs no act
	Remote   Remote               // performs steps elsewhere; nil: all are performed here
	// Final reports whether nothing more is planned for the command line; required with Remote.
	Final func() bool
	Shown Cache // how results of Remote are restored and shown; without a Disk and an Index

	Dry       bool
	Force     func(*plan.Step) bool // whether to run a step even if up to date; nil: never
	AssumeYes bool
	Confirm   func(ctx context.Context, task, text string) error // prompts the user; an error ends the step

	// Before returns the step's success in the run being rerun, or nil; may be nil.
	Before func(*plan.Step) *Success

	Facts   bool // compute [sched.Facts] for reports; otherwise only those that cost nothing
	Reasons bool // report why steps run

	Notify func(event.Event) // receives the events of inspected steps
	Ran    func(*plan.Step)  // called for each step other than services when its commands have run; may be nil

	// Flush returns when every event emitted so far has been reported.
	Flush func()

	// PlanningCommands counts the commands run by planning, and its prompts: files may have changed
	// meanwhile. It is required if Planned is called.
	PlanningCommands *atomic.Int64
}

// Executor executes steps. It is safe for concurrent use.
type Executor struct {
	o           Options
	chain       Body
	bind        *bind
	fresh       *fresh
	steps       exchange
	quickChecks sync.Pool // of *quickCheck
	ahead       prechecker

	cached *cached // the layer after fresh
}

// New returns an Executor.
func New(o Options) *Executor {
	o.Secrets, o.Large, o.Ports = cmp.Or(o.Secrets, new(pipe.Secrets)), cmp.Or(o.Large, new(pipe.Enlarger)), cmp.Or(o.Ports, new(socket.Ports))
	x := &Executor{o: o, steps: exchange{dry: o.Dry}}
	x.ahead.x = x
	body := Body(&outputs{next: o.Body, file: o.State.OutputFile, dry: o.Dry})
	if o.Gather != nil {
		body = &gather{Gathering: o.Gather, next: body, root: o.Root, tree: o.Tree, flush: o.Flush}
	}
	var remote *elsewhere
	if o.Remote != nil && !o.Dry {
		remote = &elsewhere{remote: o.Remote, shown: o.Shown, clock: o.Clock, next: body}
		remote.left = &left{remote: remote, final: o.Final}
		body = remote
	}
	prompt := &prompt{next: body, confirm: o.Confirm, flush: o.Flush, yes: o.AssumeYes, dry: o.Dry}
	x.cached = &cached{next: prompt, remote: remote, open: o.Cache, flush: o.Flush}
	if remote != nil {
		remote.cached = x.cached
	}
	x.fresh = &fresh{next: x.cached, test: o.Test, expander: o.Expander, checker: o.Checker, tree: o.Tree, root: o.Root, secrets: o.Secrets, dry: o.Dry, ran: o.Ran, reasons: o.Reasons, before: o.Before}
	x.cached.fresh = x.fresh
	if remote != nil {
		x.fresh.left = remote.left
	}
	require := &require{next: x.fresh, test: o.Test, dry: o.Dry}
	x.bind = &bind{next: require, expander: o.Expander, root: o.Root, left: x.fresh.left}
	x.chain = &streams{next: &skip{next: &ports{next: x.bind, ports: o.Ports, dry: o.Dry}}, clock: o.Clock, large: o.Large}
	return x
}

// limited returns a context with the time limit of s. done must be called at the end.
func limited(ctx context.Context, c *clock.Clock, s *plan.Step) (_ context.Context, done func()) {
	limit := s.Task.Timeout
	if limit == 0 || s.Service() != nil { // the body of a service enforces its limit, which ends when it is ready
		return ctx, func() {}
	}
	return sched.WithLimit(ctx, c, &sched.TimedOut{Name: s.Label, After: limit, Limit: sched.TaskLimit})
}

// Close ends the background checks. It must be called after the last execution.
func (x *Executor) Close() { x.ahead.end() }

// Execute implements sched.Executor.
func (x *Executor) Execute(ctx context.Context, s *plan.Step, env *sched.Env) sched.Outcome {
	x.ahead.end()
	limit.AddExempt(limit.Running)
	defer limit.AddExempt(-limit.Running)
	outer := ctx
	ctx, done := limited(ctx, x.o.Clock, s)
	defer done()
	b := &Bound{Step: s, outer: outer, Env: env, ID: env.ID, Cookie: proc.Cookie{Run: x.o.Run, Step: int(env.ID)}, Stdin: env.Stdin,
		Forced: x.o.Force != nil && x.o.Force(s), Streams: x.steps.endsOf(s), steps: &x.steps, gang: env.Gang}
	r := x.chain.Run(ctx, b)
	b.Streams.close()
	if s.HasChannel() {
		x.steps.inboxes.ended(s)
	}
	r.Usage.Add(b.used)
	out := sched.Outcome{Facts: x.factsOf(b, &r), Result: r.Outcome, Err: r.Err, Code: ExitCode(r.Err), Usage: r.Usage}
	if r.Err == nil && r.Output != nil && len(r.Output.Values) > 0 {
		out.Outputs = mapTexts(r.Output.Values, x.o.Secrets.Mask).(map[string]any)
	}
	return out
}
