package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// deadlock looks for a step that the caller of b would wait for and that waits for the caller: two
// bodies that call each other's shared step. It returns the steps of the cycle, or nil.
func (l *loop) deadlock(b *batch, joined []*node) []*node {
	if len(joined) == 0 {
		return nil
	}
	seen := map[*node]bool{}
	var visit func(n *node) []*node
	visit = func(n *node) (path []*node) {
		if n == b.caller {
			return []*node{n}
		}
		if seen[n] {
			return nil
		}
		seen[n] = true
		l.conditions(goal{n, true}, func(other goal) bool {
			path = visit(other.n)
			return path == nil
		})
		if path != nil {
			path = append(path, n)
		}
		return path
	}
	for _, n := range joined {
		if path := visit(n); path != nil {
			return path
		}
	}
	return nil
}

// goal is a node and the required state: ready, or ended.
type goal struct {
	n  *node
	up bool
}

// conditions yields everything g waits for, except pools.
func (l *loop) conditions(g goal, yield func(goal) bool) {
	n := g.n
	if n.state == settled || g.up && n.up() {
		return
	}
	members := []*node{n}
	if gang := n.env.Gang; gang != nil && n.state <= ready {
		members = gang.nodes
	}
	for _, m := range members {
		for _, edge := range m.batch.plan.Needs[m.index] {
			need := m.batch.nodes[edge.Step]
			missing := !need.decides(edge.When)
			if edge.When == plan.Together {
				missing = n.state == ended || n.state > ready && !edge.Messages // it reads until that has ended
			}
			if missing && !yield(goal{need, need.service != nil && edge.When != plan.Together}) {
				return
			}
		}
	}
	for b := n.awaits; b != nil; b = b.alongside {
		for end := range b.ends {
			if !yield(goal{end, end.service != nil && end.lingers != awaited}) {
				return
			}
		}
	}
	if n.service == nil || g.up {
		return
	}
	for _, w := range n.dependents {
		if w.by != nil && w.when != plan.After && w.by.state < ended && !yield(goal{w.by, false}) {
			return
		}
	}
	for _, h := range l.callHolds {
		if h.service == n && !yield(goal{h.by, false}) {
			return
		}
	}
}

// abandon rejects b before any of its steps has started.
func (l *loop) abandon(b *batch, path []*node) {
	var steps []*plan.Step
	for _, n := range slices.Backward(path) {
		steps = append(steps, n.step)
	}
	err := &plan.CycleError{Path: steps, Name: steps[0].Name}
	for _, n := range b.nodes {
		n.callers = slices.DeleteFunc(n.callers, func(c *batch) bool { return c == b })
		if n.batch == b && n.state != settled {
			n.fault, n.dependents = nil, nil
			l.settle(time.Now(), n, Outcome{Result: event.Cancelled, Err: err})
		}
	}
	b.err = err
	l.finish(b)
}
