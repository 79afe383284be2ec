// Package sched executes plans: one goroutine, the loop, owns a [Run] and every
// piece of its mutable state; the goroutines that execute steps send it
// messages and share no memory with it. It declares [Executor], which knows how
// a step is done, and knows itself only order, slots and cancellation.
//
// A step is in one [state], and one function changes it: loop.set.
//
// # Slots
//
// A running step holds as many slots as it weighs; a suspended one holds none, so
// calls nest to any depth with one slot. With a hard limit no more than that are
// taken. Without one the limit is soft, see slots.go.
//
// # Order
//
// At one slot steps run depth first, as written. Of the plans that are under
// way the one submitted last goes first, because a suspended step waits for it.
package sched

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Executor does one step. Execute is called from a goroutine of its own, when the
// step's needs are as far as they must be, and returns when everything of the step
// has ended.
type Executor interface {
	Execute(ctx context.Context, s *plan.Step, env *Env) Outcome
}

// Outcome is how a step ended. Err is what made it fail, not yet wrapped in a
// plan.TaskError; Code is the exit status behind it, or 0.
type Outcome struct {
	Result event.Outcome
	Err    error
	Code   int
	Usage  event.Usage
	// Outputs are for the report.
	Outputs map[string]any
}

// Options configure a Run. Executor is required.
type Options struct {
	Executor Executor
	Expander *plan.Expander    // for calls from bodies; nil if there are none
	Emit     func(event.Event) // must not block; nil drops events
	Limit    int               // hard limit of slots; 0 means the soft limit
	Soft     int               // soft limit; 0 means CPUs + 1
	Failfast bool              // the first failure cancels everything else
	Clock    *clock.Clock      // of the limits of needs; nil is one that never stands still
	IDs      *atomic.Int32     // the last number given to a step, where several runs share a report; nil: this run's own
	Idle     func() bool       // whether a CPU was idle since the last call; nil asks the system
}

// Run is the execution of one or more plans. Its methods are safe for
// concurrent use.
type Run struct {
	o    Options
	mail chan message
	quit chan struct{} // closed by Close
	end  chan struct{} // closed when the loop has ended
}

// message is what the loop is told; exactly one of the fields is set, and outcome
// beside done.
type message struct {
	submit  *batch
	done    *node // its body has ended
	outcome Outcome
	serving *node   // is up
	release *node   // gives its slots back
	resume  *batch  // wants its caller's slots again
	drain   *batch  // its context is done
	expired *expiry // has taken too long
}

// Start returns a Run with its loop going. Close ends it.
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

// Close ends the loop. Nothing may be executing or submitted any more.
func (r *Run) Close() { close(r.quit); <-r.end }

// Do executes p and returns when everything in it has settled: nil, or the
// error of the first of its roots to fail.
func (r *Run) Do(ctx context.Context, p *plan.Plan) error {
	return r.submit(ctx, p, nil, nil).err
}

// submit has a plan executed, and returns it when everything in it has settled.
func (r *Run) submit(ctx context.Context, p *plan.Plan, caller *node, drop func(*plan.Step)) *batch {
	b := &batch{run: r, plan: p, ctx: ctx, caller: caller, drop: drop, reply: make(chan error, 1)}
	if b.top = b; caller != nil {
		b.top = caller.batch.top
	}
	stop := context.AfterFunc(ctx, func() { r.tell(message{drain: b}) })
	r.mail <- message{submit: b}
	b.err = <-b.reply
	stop()
	return b
}

// tell sends the loop a message it may be too late for.
func (r *Run) tell(m message) {
	select {
	case r.mail <- m:
	case <-r.end:
	}
}

// Env is what an executing step has of its surroundings.
type Env struct {
	ID     event.StepID
	Parent event.StepID
	// Stdin tells that the step may read weft's standard input: nothing else
	// can run beside it.
	Stdin bool
	// Gang is what the step is started together with; nil when it is alone.
	Gang *Gang
	node *node
}

// Emit hands an event to the run's sink.
func (e *Env) Emit(ev event.Event) { e.node.batch.run.o.Emit(ev) }

// Call runs a task called from the step's body and returns when it has settled.
// The step holds no slots meanwhile. The error is that of the task.
func (e *Env) Call(ctx context.Context, c plan.Call) error {
	r := e.node.batch.run
	p, err := r.o.Expander.Expand(ctx, c)
	if err != nil {
		return err
	}
	return r.submit(ctx, p, e.node, nil).err
}

// CallConnected runs tasks called from the step's body that are connected to each
// other, or to what runs already: connect is called with the place of each call and its
// step before any starts, and they start without waiting for slots. drop is called for
// those that are connected and will not start; it must not block. The errors are those
// of the calls.
func (e *Env) CallConnected(ctx context.Context, calls []plan.Call, connect func(int, *plan.Step) error, drop func(*plan.Step)) []error {
	r := e.node.batch.run
	p, err := r.o.Expander.Expand(ctx, calls...)
	if err != nil {
		return slices.Repeat([]error{err}, len(calls))
	}
	for i, root := range p.Roots {
		if err := connect(i, p.Steps[root]); err != nil {
			for _, connected := range p.Roots[:i] {
				drop(p.Steps[connected])
			}
			return slices.Repeat([]error{err}, len(calls))
		}
	}
	return r.submit(ctx, p, e.node, drop).errs
}

// Serve tells that the step is a service that is up: it gives its slots back, and those
// start who need it to be ready.
func (e *Env) Serve() { e.node.batch.run.mail <- message{serving: e.node} }

// Release calls f while the step holds no slots.
func (e *Env) Release(f func()) {
	r := e.node.batch.run
	r.mail <- message{release: e.node}
	f()
	b := &batch{run: r, caller: e.node, reply: make(chan error, 1)}
	r.mail <- message{resume: b}
	<-b.reply
}
