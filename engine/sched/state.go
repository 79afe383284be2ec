package sched

import (
	"context"
	"errors"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// state is the state of a step. Only [loop.set] changes it.
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
	waiting   state = iota // for its needs
	ready                  // waits for slots, a pool, or the others of its gang
	running                // its body runs and holds slots
	suspended              // its body waits for a call and holds none
	serving                // it is a ready service and holds none
	ended                  // its body has ended, but not all steps that it reads
	settled                // it has its outcome
)

// set changes the state of n, and everything that depends on it: the slots it holds, the event for
// the change (may be nil), and the steps and calls that wait for it.
func (l *loop) set(n *node, to state, ev event.Event) {
	from := n.state
	l.slots.free(l.held(n))
	n.state = to
	n.queue = nil
	if g := n.env.Gang; g != nil {
		g.weight[from] -= n.weight
		g.weight[to] += n.weight
	}
	l.slots.take(l.held(n))
	if ev != nil {
		l.r.o.Emit(ev)
	}
	if from == ready && to == running {
		n.batch.top.pending++
	}
	if n.own > 0 {
		l.countAway(from, to)
	}
	if n.service != nil {
		if from == serving {
			l.up--
		}
		switch to {
		case serving:
			l.up++
			l.markUp(n)
			l.deadlockSuspected = l.deadlockSuspected || n.ties.taking != nil
		case settled:
			l.serviceEnded(n)
		}
	}
	if to == settled || n.early {
		l.notifyDependents(n)
	}
	if from < ended && to >= ended {
		if n.ties.taking != nil {
			l.giveBack(n)
		}
		if n.ties.messages != nil {
			l.sentLast(n)
		}
		if l.serves {
			l.releaseNeeds(n)
		}
	}
	if to == settled {
		l.notifyBatches(n)
		if n.env.Gang != nil {
			l.memberSettled(n, from)
		}
		if from > ready {
			l.close(n.batch.top)
		}
	}
}

// decides reports whether n has met the condition, or can never meet it.
func (n *node) decides(when plan.When) bool {
	switch {
	case n.state == settled:
		return true
	case when == plan.Ready || n.service != nil && when != plan.Started:
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
		return n.err != nil && !n.started
	case plan.Ended, plan.After:
		return false
	}
	return n.err != nil
}

// notifyDependents ends the waits of dependents whose conditions n decides now.
func (l *loop) notifyDependents(n *node) {
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

// notifyBatches notifies the batches that wait for the end of n.
func (l *loop) notifyBatches(n *node) {
	callers := n.callers
	n.callers = nil
	for _, b := range callers {
		l.fail(b, n)
		l.rootSettled(b, n)
		l.close(b)
	}
	if n.lingers != forgotten {
		l.fail(n.batch, n)
	}
	if n.lingers == awaited {
		l.close(n.batch)
	}
}

// fail makes b fail with the error of n, if n has one and b has none yet.
func (l *loop) fail(b *batch, n *node) {
	if n.err == nil || b.err != nil {
		return
	}
	b.err = n.err
	if l.r.o.Failfast {
		l.cancelEnds(b, &StepFailed{Task: n.step.Label, Err: n.err})
	}
}

// close records that b waits for one item less.
func (l *loop) close(b *batch) {
	if b.pending--; b.pending == 0 && !l.awaitsEnding(b) {
		l.finish(b)
	}
}

// settle gives n its outcome.
func (l *loop) settle(now time.Time, n *node, out Outcome) {
	if n.cancel != nil {
		n.cancel(nil)
	}
	n.cancel = nil
	if n.ties.streams != nil {
		for _, t := range n.ties.streams.timers {
			t.Stop()
		}
	}
	if !n.started && n.batch.drop != nil {
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
	var ev *event.StepSettled
	var duration time.Duration
	if n.record != nil {
		ev, duration = &n.record.settled, now.Sub(n.record.started.Time)
		n.record = nil
	} else {
		ev = new(event.StepSettled)
	}
	*ev = event.StepSettled{Time: now, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix,
		Silent: s.Silent, Internal: s.Task.Internal, Outcome: out.Result, Duration: duration, Err: out.Err, Code: out.Code, Cause: n.cause(out.Err), Usage: out.Usage, Outputs: out.Outputs}
	if f := out.Facts; f != nil {
		ev.Signal, ev.Attempts, ev.OOM, ev.Fingerprint, ev.Place, ev.Worker, ev.Stages, ev.Inputs, ev.Wrote = f.Signal, f.Attempts, f.OOM, f.Fingerprint, f.Place, f.Worker, f.Stages, f.Inputs, f.Wrote
	}
	return ev
}

// cause returns the step that made n end with err: one that it needs or has called; 0 if it failed
// itself.
func (n *node) cause(err error) event.StepID {
	if called, ok := errors.AsType[*plan.TaskError](err); ok && n.fault == nil {
		return event.StepID(called.Step)
	}
	return n.fault.id()
}

// withoutRunning returns the outcome of a step that cannot start.
func (n *node) withoutRunning() Outcome {
	switch {
	case n.verdict != nil:
		return *n.verdict
	case n.fault != nil:
		return Outcome{Result: event.Skipped, Err: n.fault.err}
	}
	return Outcome{Result: event.Cancelled, Err: context.Cause(n.batch.ctx)}
}
