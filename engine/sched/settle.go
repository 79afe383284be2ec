package sched

import (
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// settle gives n its outcome now.
func (l *loop) settle(n *node, out Outcome) { l.settleAt(time.Now(), n, out) }

// settleAt gives n its outcome and tells everyone who waits for it.
func (l *loop) settleAt(now time.Time, n *node, out Outcome) {
	if n.env.Gang != nil {
		defer l.left(n, n.state)
	}
	n.state = settled
	n.result = out.Result
	if n.cancel != nil {
		n.cancel(nil)
	}
	for _, t := range n.limits {
		t.Stop()
	}
	if out.Err != nil {
		n.err = plan.Wrap(n.step.Label, out.Err)
		if late, ok := out.Err.(*TimedOut); ok && late.Need && n.fault == nil {
			n.err = late
		}
	}
	l.r.o.Emit(l.settledEvent(now, n, out))
	n.ctx, n.cancel = nil, nil
	dependents, callers := n.dependents, n.callers
	n.dependents, n.callers = nil, nil
	for _, d := range dependents {
		d.needs--
		if n.err != nil && d.fault == nil {
			d.fault = n
			if d.step.Task.Failfast || l.r.o.Failfast {
				l.cancelNeeds(d, &StepFailed{Task: n.step.Label, Err: n.err})
			}
		}
	}
	for _, d := range dependents {
		if d.needs == 0 && d.state == waiting {
			l.becomeReady(d)
		}
	}
	for _, b := range callers {
		if n.err != nil && b.err == nil {
			b.err = n.err
			if l.r.o.Failfast {
				l.cancelRoots(b, &StepFailed{Task: n.step.Label, Err: n.err})
			}
		}
		if b.roots--; b.roots == 0 {
			l.finish(b)
		}
	}
}

func (l *loop) settledEvent(now time.Time, n *node, out Outcome) event.Event {
	s := n.step
	ev := &event.StepSettled{Time: now, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix,
		Silent: s.Silent, Outcome: out.Result, Err: out.Err, Code: out.Code, Usage: out.Usage, Outputs: out.Outputs}
	if !n.started.IsZero() {
		ev.Duration = now.Sub(n.started)
	}
	if n.fault != nil {
		ev.Cause = n.fault.env.ID
	}
	return ev
}

func (l *loop) finish(b *batch) {
	if b.caller == nil {
		b.reply <- b.err
		return
	}
	if b.caller.awaits != nil && (b.caller.awaits != b || b.alongside != nil) {
		l.resume(b)
		return
	}
	l.resumes = append(l.resumes, b)
}
