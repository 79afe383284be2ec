package sched

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// deadlock looks for a step that the caller of b would wait for and that waits
// for the caller: two bodies that call each other's shared step. It returns
// the steps on the way, or nil.
func (l *loop) deadlock(b *batch, joined []*node) []*node {
	if len(joined) == 0 {
		return nil
	}
	seen := map[*node]bool{}
	var visit func(n *node) []*node
	visit = func(n *node) []*node {
		if n == b.caller {
			return []*node{n}
		}
		if n.state == settled || seen[n] {
			return nil
		}
		seen[n] = true
		for other := range n.waitsFor {
			if path := visit(other); path != nil {
				return append(path, n)
			}
		}
		return nil
	}
	for _, n := range joined {
		if path := visit(n); path != nil {
			return path
		}
	}
	return nil
}

// waitsFor yields the steps that n waits for: its needs, those it starts together with,
// and those its body calls.
func (n *node) waitsFor(yield func(*node) bool) {
	for _, edge := range n.batch.plan.Needs[n.index] {
		if need := n.batch.nodes[edge.Step]; !need.decides(edge.When) && !yield(need) {
			return
		}
	}
	if g := n.env.Gang; g != nil && !g.started {
		for _, mate := range g.nodes {
			if !yield(mate) {
				return
			}
		}
	}
	for b := n.awaits; b != nil; b = b.alongside {
		for end := range b.ends {
			if !yield(end) {
				return
			}
		}
	}
}

// abandon gives b up before anything of it has started.
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
