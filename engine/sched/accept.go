package sched

import (
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// accept adds a plan's steps to the table and starts what is ready.
func (l *loop) accept(b *batch) {
	b.open = 1 // until all is added
	joined := l.addNodes(b)
	l.link(b)
	b.gather()
	l.r.o.Emit(&event.Planned{Time: time.Now(), Steps: len(b.plan.Steps), Edges: b.plan.Edges(), Parent: b.caller.id()})
	if b.caller != nil {
		l.suspend(b.caller)
		b.alongside, b.caller.awaits = b.caller.awaits, b
		if path := l.deadlock(b, joined); path != nil {
			l.abandon(b, path)
			return
		}
	}
	for _, n := range b.nodes {
		if n.batch == b && n.state == waiting && n.needs == 0 {
			l.becomeReady(n)
		}
	}
	l.close(b)
}

// addNodes makes the nodes of b, and returns those it shares with others that have not
// settled.
func (l *loop) addNodes(b *batch) (joined []*node) {
	p := b.plan
	l.batches++
	b.number = l.batches
	b.nodes = make([]*node, len(p.Steps))
	b.individual = l.r.o.Failfast
	var alone []bool
	if b.caller == nil || b.caller.env.Stdin {
		alone = p.Alone()
	}
	slab := make([]node, len(p.Steps))
	for i, s := range p.Steps {
		if known := l.shared[s]; known != nil && s.Shared() {
			b.nodes[i] = known
			if known.state != settled {
				joined = append(joined, known)
				b.joins, known.batch.awaited = true, nil
			}
			continue
		}
		n := &slab[i]
		*n = node{step: s, batch: b, index: int32(i), weight: s.Slots}
		n.env = Env{ID: event.StepID(l.r.o.IDs.Add(1)), Stdin: l.r.o.Limit == 1 || alone != nil && alone[i], node: n}
		b.nodes[i] = n
		b.individual = b.individual || s.Failfast
		if s.Shared() {
			b.shares = b.caller != nil
			s.Adopt()
			if l.shared == nil {
				l.shared = make(map[*plan.Step]*node, len(p.Steps))
			}
			l.shared[s] = n
		}
	}
	return joined
}

// link connects the nodes of b with those they need and with b itself.
func (l *loop) link(b *batch) {
	for i, n := range b.nodes {
		if n.batch != b {
			continue
		}
		for _, edge := range b.plan.Needs[i] {
			need := b.nodes[edge.Step]
			if need.env.Parent == 0 && need.batch == b {
				need.env.Parent = n.env.ID
			}
			if edge.When == plan.Together {
				connect(n, need)
				l.limitStream(n, need, edge.Limit)
				continue
			}
			l.linkNeed(n, need, edge)
		}
	}
	for _, i := range b.plan.Roots {
		root := b.nodes[i]
		if root.batch == b && root.env.Parent == 0 {
			root.env.Parent = b.caller.id()
		}
		if root.state == settled {
			if b.err == nil {
				b.err = root.err
			}
			continue
		}
		root.callers = append(root.callers, b)
		b.open++
	}
}

// linkNeed has n wait for need, unless that is as far already.
func (l *loop) linkNeed(n, need *node, edge plan.Need) {
	b := n.batch
	if need.decides(edge.When) {
		switch {
		case need.fails(edge.When) && n.fault == nil:
			n.fault = need
		case edge.When == plan.Ended && b.err == nil:
			b.err = need.err
		}
		return
	}
	need.dependents = append(need.dependents, wait{by: n, when: edge.When, timer: l.limit(n, need, edge.Limit)})
	n.needs++
	if !edge.When.Outlives() {
		return
	}
	need.early = true
	if need.batch == b && !need.lingers {
		need.lingers = true
		b.lingering = append(b.lingering, need)
		b.open++
	}
}
