// Package sched executes plans: one goroutine, the loop, owns a [Run] and every piece of its
// mutable state; the goroutines that execute steps send it messages and share no memory with it. It
// declares [Executor], which performs steps; the package itself handles only order, slots and
// cancellation.
//
// A step has one [state], which only loop.set changes.
//
// # Slots and pools
//
// A running step holds as many slots as its weight; a suspended step and a ready service hold none,
// so calls nest to any depth with one slot. A hard limit is never exceeded. Without one the limit
// is soft, see slots.go.
//
// A step holds its share of a pool until its body has ended, and lends it to the steps that it
// calls. Deadlocks are detected when they arise, see pool.go.
//
// # Order
//
// At one slot steps run depth first, as written. Of the active plans the newest goes first, because
// a suspended step waits for it. With several slots the step with the longest chain of dependents
// goes first, and no step is overtaken without limit, see queue.go.
//
// Up-to-date steps are recognized in batches, see quickcheck.go.
//
// # Elsewhere
//
// A step that is performed elsewhere takes no slots, but one of [Options.Places]: see away.go.
//
// # Services
//
// A service ends when nothing needs it any longer: after its dependents, however the run ends. See
// service.go.
package sched

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Executor performs one step. Execute is called on a goroutine of its own, when the conditions of
// the step's needs are met, and returns when everything of the step has ended.
type Executor interface {
	Execute(ctx context.Context, s *plan.Step, env *Env) Outcome
}

// Outcome is how a step ended. Err is its failure, not yet wrapped in a plan.TaskError; Code is the
// corresponding exit status, or 0.
type Outcome struct {
	Result event.Outcome
	Err    error
	Code   int
	Usage  event.Usage
	// Outputs are the outputs for events.
	Outputs map[string]any
	Facts   *Facts // may be nil
}

// Facts are further results of a step, beside its Outcome: see [event.StepSettled].
type Facts struct {
	Signal      os.Signal
	Attempts    int
	OOM         bool
	Fingerprint string
	Place       event.Place
	Worker      string
	Stages      event.Stages
	Inputs      event.Inputs
	Wrote       []string
}

// Options configure a Run. Executor is required.
type Options struct {
	Executor  Executor
	Expander  *plan.Expander         // for calls from bodies; nil if there are none
	Emit      func(event.Event)      // must not block; nil drops events
	Limit     int                    // hard limit of slots; 0 means the soft limit
	SoftLimit int                    // soft limit; 0 means CPUs + 2
	Tokens    Tokens                 // limit concurrency beside the slots; may be nil
	Place     func(*plan.Step) Place // where a ready step is performed; nil: here
	Places    int                    // maximum number of steps elsewhere; less than 1 means 1
	Failfast  bool                   // the first failure cancels everything else
	Pools     map[string]int         // sizes of pools by name; default 1
	Services  bool                   // some tasks are services: any running step may be cancelled because one failed
	Detail    bool                   // report each step that waits for a slot
	// OnStart completes the event of a starting step; may be nil.
	OnStart func(*plan.Step, *event.StepStarted)
	// Keys returns the keys of the steps of a plan, which identify them in other runs. Graph and
	// Durations need it.
	Keys  func([]*plan.Step) []uint64
	Graph bool         // events contain the graph of each plan
	Clock *clock.Clock // for the limits of needs; nil means one that never pauses
	// Durations returns the expected duration of the step with a key, or 0 if unknown; may be nil. It
	// may be called concurrently.
	Durations func(key uint64) time.Duration
	IDs       *atomic.Int32 // the last ID given to a step, if several runs share it; nil: private to this run
	CPUIdle   func() bool   // whether a CPU was idle since the last call; nil uses the system's load
}

// Run is the execution of one or more plans. Its methods are safe for
// concurrent use.
type Run struct {
	o    Options
	mail chan message
	quit chan struct{} // closed by Close
	end  chan struct{} // closed when the loop has ended
}

// message is a message to the loop; exactly one of the fields is set, and outcome with done.
type message struct {
	submit       *batch
	done         *node // body has ended
	outcome      Outcome
	quickChecked *quickCheckBatch // batch of quick checks has ended
	serving      *node            // service is ready
	release      *node            // releases its slots
	asks         *node            // releases its slots to wait for a server
	holdHere     *node            // is to hold slots; resume follows
	letGo        *node            // is elsewhere again
	resume       *batch           // needs its caller's slots again
	drain        *batch           // context is done
	expired      *expiry          // need has exceeded its time limit
	releaseRoots *batch           // its roots need not last
	retire       *node            // a service that the user is stopping
}

// Start starts the loop of a new Run. Close ends it.
func Start(o Options) *Run {
	if o.Emit == nil {
		o.Emit = func(event.Event) {}
	}
	if o.IDs == nil {
		o.IDs = new(atomic.Int32)
	}
	r := &Run{o: o, mail: make(chan message, 64), quit: make(chan struct{}), end: make(chan struct{})}
	go newLoop(r).run()
	return r
}

// Close ends the loop. No plan may be executing or submitted any more.
func (r *Run) Close() { close(r.quit); <-r.end }

// Do executes p and returns when all of it has settled: nil, or the error of the first root that
// failed. Services among the roots last until ctx is done.
func (r *Run) Do(ctx context.Context, p *plan.Plan) error {
	return r.Begin(ctx, p).Wait()
}

// Execution is a plan being executed.
type Execution struct {
	b    *batch
	stop func() bool
}

// Begin is like Do but does not wait. Wait must be called.
func (r *Run) Begin(ctx context.Context, p *plan.Plan) *Execution {
	b := &batch{plan: p, ctx: ctx, up: make(chan struct{})}
	return &Execution{b, r.begin(b)}
}

// BeginAgain is like Begin for a plan that runs again in this run: the roots of the plan returned
// by expand, and its services that are not ready any more. It returns when Up has.
func (r *Run) BeginAgain(ctx context.Context, expand func() (*plan.Plan, error)) (*Execution, error) {
	for {
		p, err := expand()
		if err != nil {
			return nil, err
		}
		b := &batch{plan: p, ctx: ctx, up: make(chan struct{}), again: true}
		x := &Execution{b, r.begin(b)}
		if x.Up(); !b.refused {
			return x, nil
		}
		if err := x.Wait(); err != errStale {
			return nil, err
		}
	}
}

// Up waits until each root has settled or is a ready service, and reports whether there are such
// services.
func (x *Execution) Up() bool {
	<-x.b.up
	return x.b.wasUp
}

// ReleaseRoots lets the services among the roots end when no other step needs them. It is called
// after Up has returned.
func (x *Execution) ReleaseRoots() { x.b.run.post(message{releaseRoots: x.b}) }

// Wait waits for the end and returns the result of Do.
func (x *Execution) Wait() error {
	err := <-x.b.reply
	x.stop()
	return err
}

// submit executes b, and returns it when all of it has settled.
func (r *Run) submit(b *batch) *batch {
	stop := r.begin(b)
	b.err = <-b.reply
	stop()
	return b
}

// begin passes b to the loop. The returned function must be called when b has ended.
func (r *Run) begin(b *batch) (stop func() bool) {
	b.run, b.top, b.reply = r, b, make(chan error, 1)
	if b.caller != nil {
		b.top = b.caller.batch.top
	}
	stop = context.AfterFunc(b.ctx, func() { r.post(message{drain: b}) })
	r.mail <- message{submit: b}
	return stop
}

// post sends a message to the loop, unless the loop has ended.
//
//go:noinline
func (r *Run) post(m message) {
	select {
	case r.mail <- m:
	case <-r.end:
	}
}

// Env is the environment of an executing step.
type Env struct {
	ID     event.StepID
	Parent event.StepID
	// Stdin means that the step may read weft's standard input: nothing else can run concurrently.
	Stdin bool
	// Gang is the gang of the step; nil if it is alone.
	Gang *Gang
	node *node
}

// Emit sends an event to the run's sink.
func (e *Env) Emit(ev event.Event) { e.node.batch.run.o.Emit(ev) }

// Call runs a task called from the step's body and returns when it has settled, or is a ready
// service, which then lasts until the body has ended. The step holds no slots meanwhile. The error
// is that of the task.
func (e *Env) Call(ctx context.Context, c plan.Call) error {
	r := e.node.batch.run
	for {
		p, err := r.o.Expander.Expand(ctx, c)
		if err != nil {
			return err
		}
		if err := r.submit(&batch{plan: p, ctx: ctx, caller: e.node}).err; err != errStale {
			return err
		}
	}
}

// CallConnected runs tasks called from the step's body that are connected to each other, or to
// running commands: connect is called with the index of each call and its step before any starts,
// and they start without waiting for slots. drop is called for connected steps that will not start.
// Both are called by the loop, and must not block. The errors are those of the calls.
func (e *Env) CallConnected(ctx context.Context, calls []plan.Call, connect func(int, *plan.Step) error, drop func(*plan.Step)) []error {
	r := e.node.batch.run
	for {
		p, err := r.o.Expander.Expand(ctx, calls...)
		if err != nil {
			return slices.Repeat([]error{err}, len(calls))
		}
		if b := r.submit(&batch{plan: p, ctx: ctx, caller: e.node, connect: connect, drop: drop}); b.err != errStale {
			return b.errs
		}
	}
}

// errStale means that a plan contains a service that has begun to end since it was made.
var errStale = errors.New("a service that is needed is stopping")

// Serve marks the step as a ready service: it releases its slots, and dependents that wait for it
// to be ready start.
func (e *Env) Serve() { e.node.batch.run.mail <- message{serving: e.node} }

// Retire records that the step, a service, ends because the user stopped it, not because it failed:
// its dependents continue, and later ones start another instance.
func (e *Env) Retire() { e.node.batch.run.mail <- message{retire: e.node} }

// Unneeded returns a channel that is closed when the service is no longer needed: it should end,
// and that is not a failure. It is nil for a step that is not a service. When the run is cancelled the
// context of the step is done instead, at the same time.
func (e *Env) Unneeded() <-chan struct{} {
	if e.node.service == nil {
		return nil
	}
	return e.node.service.unneeded
}

// Release calls f while the step holds no slots.
func (e *Env) Release(f func()) { e.without(message{release: e.node}, f) }

// Ask is Release for an f that waits for the answer of a server, for a limited time. While many steps
// wait so, no others start: all would run at the same time when the server is given up.
func (e *Env) Ask(f func()) { e.without(message{asks: e.node}, f) }

// without calls f after m, and then makes the step wait for its slots.
func (e *Env) without(m message, f func()) {
	r := e.node.batch.run
	r.mail <- m
	f()
	b := &batch{run: r, caller: e.node, reply: make(chan error, 1)}
	r.mail <- message{resume: b}
	<-b.reply
}
