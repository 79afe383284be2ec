package sched

import (
	"context"
	"errors"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

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
