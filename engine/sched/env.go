package sched

import (
	"context"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

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
	errs := make([]error, len(calls))
	fail := func(err error) []error {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	p, err := r.o.Expander.Expand(ctx, calls...)
	if err != nil {
		return fail(err)
	}
	for i, root := range p.Roots {
		if err := connect(i, p.Steps[root]); err != nil {
			for _, connected := range p.Roots[:i] {
				drop(p.Steps[connected])
			}
			return fail(err)
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
