package sched

import (
	"context"
	"errors"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// state is how far a step is. Only [loop.set] changes it.
//
//	waiting ──▶ ready ──▶ running ──▶ serving
//	   │          │       ▲  │  │        │
//	   │          │       │  ▼  ├────────┤
//	   │          │   suspended │        ▼
//	   │          │             │      ended
//	   │          │             │        │
//	   └──────────┴──────────▶ settled ◀─┘
type state uint8

const (
	waiting   state = iota // for what it needs
	ready                  // for slots, or for the others of its gang
	running                // its body runs and holds slots
	suspended              // its body waits for a call and holds none
	serving                // it is a service that is up and holds none
	ended                  // its body has ended, but not all steps that it reads
	settled                // it has its outcome
)

// set moves n to another state. All that hangs on the state of a step hangs here:
// the slots it holds, the event that tells of the change (nil: nothing does), and
// the steps and calls that wait for it.
func (l *loop) set(n *node, to state, ev event.Event) {
	from := n.state
	l.slots.free(l.held(n))
	n.state = to
	if g := n.env.Gang; g != nil {
		g.weight[from] -= n.weight
		g.weight[to] += n.weight
	}
	l.slots.take(l.held(n))
	if ev != nil {
		l.r.o.Emit(ev)
	}
	if from == ready && to == running {
		n.batch.top.open++
	}
	if to == settled || n.early {
		l.tellDependents(n)
	}
	if to == settled {
		l.tellBatches(n)
		if n.env.Gang != nil {
			l.dropOut(n, from)
		}
		if from > ready {
			l.close(n.batch.top)
		}
	}
}

// decides reports whether n is as far as a need with the condition must be, or can
// never be so.
func (n *node) decides(when plan.When) bool {
	switch {
	case n.state == settled:
		return true
	case when == plan.Ready:
		return n.state == serving
	case when == plan.Started:
		return n.state >= running
	}
	return false
}

// fails reports whether n, which decides the condition, does not meet it.
func (n *node) fails(when plan.When) bool {
	switch when {
	case plan.Started:
		return n.err != nil && n.started.IsZero()
	case plan.Ended:
		return false
	}
	return n.err != nil
}

// tellDependents lets those go on for whom n is as far as they need it.
func (l *loop) tellDependents(n *node) {
	for i := range n.dependents {
		w := &n.dependents[i]
		if w.decided || !n.decides(w.when) {
			continue
		}
		w.decide()
		d := w.by
		switch {
		case n.fails(w.when) && d.fault == nil && d.verdict == nil:
			d.fault = n
			if d.step.Failfast || l.r.o.Failfast {
				l.cancelNeeds(d, &StepFailed{Task: n.step.Label, Err: n.err})
			}
		case w.when == plan.Ended:
			l.fail(d.batch, n)
		}
	}
	for _, w := range n.dependents {
		if d := w.by; d != nil && w.decided && d.needs == 0 && d.state == waiting {
			l.becomeReady(d)
		}
	}
	if n.state == settled {
		n.dependents = nil
	}
}

// tellBatches tells those who wait for the end of n.
func (l *loop) tellBatches(n *node) {
	callers := n.callers
	n.callers = nil
	for _, b := range callers {
		l.fail(b, n)
		l.close(b)
	}
	if n.lingers {
		l.fail(n.batch, n)
		l.close(n.batch)
	}
}

// fail has b fail with the error of n, if that has one and b has none yet.
func (l *loop) fail(b *batch, n *node) {
	if n.err == nil || b.err != nil {
		return
	}
	b.err = n.err
	if l.r.o.Failfast {
		l.cancelEnds(b, &StepFailed{Task: n.step.Label, Err: n.err})
	}
}

// close notes that b waits for one thing less.
func (l *loop) close(b *batch) {
	if b.open--; b.open == 0 {
		l.finish(b)
	}
}

// settle gives n its outcome.
func (l *loop) settle(now time.Time, n *node, out Outcome) {
	if n.cancel != nil {
		n.cancel(nil)
	}
	n.cancel = nil
	if n.streams != nil {
		for _, t := range n.streams.timers {
			t.Stop()
		}
	}
	if n.started.IsZero() && n.batch.drop != nil {
		n.batch.drop(n.step)
	}
	if out.Err != nil {
		n.err = plan.Wrap(n.step.Label, int32(n.env.ID), out.Err)
		if timedOut, ok := out.Err.(*TimedOut); ok && timedOut.Limit == NeedLimit && n.fault == nil {
			n.err = timedOut
		}
	}
	l.set(n, settled, n.settledEvent(now, out))
}

func (n *node) settledEvent(now time.Time, out Outcome) event.Event {
	s := n.step
	ev := &event.StepSettled{Time: now, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix,
		Silent: s.Silent, Outcome: out.Result, Err: out.Err, Code: out.Code, Cause: n.cause(out.Err), Usage: out.Usage, Outputs: out.Outputs}
	if !n.started.IsZero() {
		ev.Duration = now.Sub(n.started)
	}
	return ev
}

// cause is the step that made n end with err: one that it needs or has called; 0 if it
// failed on its own.
func (n *node) cause(err error) event.StepID {
	if called, ok := errors.AsType[*plan.TaskError](err); ok && n.fault == nil {
		return event.StepID(called.Step)
	}
	return n.fault.id()
}

// withoutRunning is the outcome of a step that cannot start any more.
func (n *node) withoutRunning() Outcome {
	switch {
	case n.verdict != nil:
		return *n.verdict
	case n.fault != nil:
		return Outcome{Result: event.Skipped, Err: n.fault.err}
	}
	return Outcome{Result: event.Cancelled, Err: context.Cause(n.batch.ctx)}
}
