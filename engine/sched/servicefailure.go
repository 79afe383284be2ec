package sched

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// ServiceFailed is the cause of cancellations because of a failed service.
type ServiceFailed struct {
	Task string // the service
	Err  error
}

func (e *ServiceFailed) Error() string {
	return fmt.Sprintf("cancelled because service %q failed", e.Task)
}

// ServiceEnded is the error of a service that exited successfully, but too early.
type ServiceEnded struct {
	Needed int // number of dependents
}

func (e *ServiceEnded) Error() string {
	by := "1 step needs it"
	if e.Needed > 1 {
		by = fmt.Sprintf("%d steps need it", e.Needed)
	}
	return "it has ended although " + by + "; with restart: always it is started again"
}

// failIfMissed makes the end of n a failure if n is a service that ended on its own while other
// steps needed it. Service groups do not count as dependents.
func (n *node) failIfMissed(out *Outcome) {
	s := n.service
	if s == nil || !s.wasUp || s.closed || out.Err != nil {
		return
	}
	needed := s.held
	for _, w := range n.dependents {
		if d := w.by; d != nil && w.when != plan.After && d.state < ended && !d.isGroup() {
			needed++
		}
	}
	if needed > 0 {
		*out = Outcome{Result: event.Failed, Err: &ServiceEnded{needed}, Usage: out.Usage}
	}
}

// serviceEnded is called when n has settled.
func (l *loop) serviceEnded(n *node) {
	if l.closing[n.step.Key] == n {
		delete(l.closing, n.step.Key)
	}
	if n.err != nil && !n.service.closed {
		l.cancelDependents(n, n, &ServiceFailed{Task: n.step.Label, Err: n.err})
	}
	for _, w := range n.dependents {
		if w.by != nil && w.decided {
			l.updateGroup(w.by)
		}
	}
}

// cancelDependents cancels the running dependents of n, which is failed or ends because failed did.
func (l *loop) cancelDependents(n, failed *node, cause *ServiceFailed) {
	for _, w := range n.dependents {
		if w.by != nil && w.decided && w.when != plan.After && w.when != plan.Started {
			l.cancelDependent(w.by, failed, cause)
		}
	}
	for _, h := range slices.Clone(l.callHolds) {
		if h.service == n {
			l.cancelDependent(h.by, failed, cause)
		}
	}
}

// cancelDependent cancels n, which needs a failed service.
func (l *loop) cancelDependent(n, failed *node, cause *ServiceFailed) {
	if n.state >= ended || n.service != nil && n.fault != nil {
		return // already cancelled, or unaffected
	}
	if n.fault == nil {
		n.fault = failed
	}
	switch {
	case n.state == ready:
		l.settle(time.Now(), n, n.withoutRunning())
	case n.state == waiting: // settles when its last wait ends
	case n.up() && n.isGroup():
		l.cancelDependents(n, failed, cause)
		l.updateGroup(n)
		l.releaseLost(n)
	case n.up():
		n.service.lost = failed
		l.end(n, cause)
		l.cancelDependents(n, failed, cause)
		for _, w := range n.dependents {
			if w.by != nil {
				l.releaseLost(w.by)
			}
		}
	default:
		l.stop(n, cause)
	}
}
