package sched

import (
	"slices"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// accept adds a plan's steps to the table and starts what is ready.
func (l *loop) accept(b *batch) {
	if l.refuses(b) {
		return
	}
	b.pending, b.rootsNotUp = 1, 1 // until all nodes are linked
	joined := l.addNodes(b)
	l.link(b)
	b.makeGangs()
	l.measure(b)
	l.r.o.Emit(l.planned(b))
	if b.caller != nil {
		l.suspend(b.caller)
		b.alongside, b.caller.awaits = b.caller.awaits, b
		if path := l.deadlock(b, joined); path != nil {
			l.abandon(b, path)
			return
		}
	}
	l.deadlockSuspected = l.deadlockSuspected || len(joined) > 0
	starts := func(n *node) bool { return n.batch == b && n.state == waiting && n.needs == 0 }
	first := 0
	for _, n := range b.nodes {
		if starts(n) {
			first++
		}
	}
	l.ready.grow(first)
	for _, n := range b.nodes {
		if starts(n) {
			l.becomeReady(n)
		}
	}
	b.rootUp()
	l.close(b)
}

// refuses rejects b if it cannot be executed, and reports whether it did.
func (l *loop) refuses(b *batch) bool {
	if l.serves {
		for _, s := range b.plan.Steps {
			if known := l.shared[s]; known != nil && known.stale() {
				l.refuse(b, errStale)
				return true
			}
		}
	}
	if b.again && l.forgetDone(b) {
		l.refuse(b, errStale)
		return true
	}
	if l.sendsTooLate(b) {
		l.refuse(b, errStale)
		return true
	}
	if b.connect == nil {
		return false
	}
	for i, root := range b.plan.Roots {
		if err := b.connect(i, b.plan.Steps[root]); err != nil {
			for _, connected := range b.plan.Roots[:i] {
				b.drop(b.plan.Steps[connected])
			}
			l.refuse(b, err)
			return true
		}
	}
	return false
}

// forgetDone forgets the completed steps of b that are to run again, and reports whether there are
// any.
func (l *loop) forgetDone(b *batch) (any bool) {
	for i, s := range b.plan.Steps {
		known := l.shared[s]
		if known != nil && known.state == settled && (known.service != nil || slices.Contains(b.plan.Roots, int32(i))) {
			l.r.o.Expander.Forget(s)
			any = true
		}
	}
	return any
}

func (l *loop) refuse(b *batch, err error) {
	b.errs = slices.Repeat([]error{err}, len(b.plan.Roots))
	if b.refused = true; b.up != nil {
		close(b.up)
	}
	b.reply <- err
}

// addNodes creates the nodes of b, and returns those shared with other batches that have not
// settled.
func (l *loop) addNodes(b *batch) (joined []*node) {
	p := b.plan
	l.batches++
	b.number = l.batches
	b.nodes = make([]*node, len(p.Steps))
	b.individual = l.r.o.Failfast || l.r.o.Services
	var alone []bool
	if l.up == 0 && (b.caller == nil || b.caller.env.Stdin) {
		alone = p.Alone()
	}
	slab := make([]node, len(p.Steps))
	for i, s := range p.Steps {
		if known := l.shared[s]; known != nil && s.Shared() {
			b.nodes[i] = known
			b.services = b.services || known.service != nil
			if known.state != settled {
				joined = append(joined, known)
				b.joins, known.batch.awaited = true, nil
			}
			continue
		}
		n := &slab[i]
		*n = node{step: s, batch: b, index: int32(i), weight: s.Slots, ties: &noTies}
		n.receives()
		if s.Serves {
			n.service = &service{unneeded: make(chan struct{})}
			b.services, l.serves = true, true
		}
		n.env = Env{ID: event.StepID(l.r.o.IDs.Add(1)), Stdin: l.r.o.Limit == 1 && l.up == 0 || alone != nil && alone[i], node: n}
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
	if b.services && (b.caller != nil || l.r.o.Limit == 1) {
		for i := range slab {
			slab[i].env.Stdin = b.caller == nil && alone != nil && alone[i]
		}
	}
	return joined
}

// link connects the nodes of b with their needs and with b itself.
func (l *loop) link(b *batch) {
	for i, n := range b.nodes {
		if n.batch != b {
			continue
		}
		if n.service != nil {
			l.waitForLast(n)
		}
		for _, edge := range b.plan.Needs[i] {
			need := b.nodes[edge.Step]
			if edge.When != plan.After {
				if need.env.Parent == 0 && need.batch == b {
					need.env.Parent = n.env.ID
				}
				if need.service != nil {
					need.service.users++
				}
			}
			if edge.Messages {
				send(n, need, edge.When == plan.Together)
			}
			if edge.When == plan.Together {
				if !edge.Messages {
					connect(n, need)
				}
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
		l.linkRoot(b, root)
	}
}

// linkRoot makes b wait for one of its roots.
func (l *loop) linkRoot(b *batch, root *node) {
	s := root.service
	if root.up() && s.lost != nil {
		b.err = s.cause
		return
	}
	if s != nil {
		s.users++
	}
	if b.caller != nil && root.up() {
		l.hold(b.caller, root)
		return
	}
	root.callers = append(root.callers, b)
	b.pending++
	switch {
	case s == nil:
		b.ordinary++
		b.rootsNotUp++
	case root.up():
		b.wasUp = true
	default:
		b.rootsNotUp++
	}
	if s != nil && b.caller == nil {
		s.rooted++
	}
}

// linkNeed makes n wait for need, unless its condition is already decided.
func (l *loop) linkNeed(n, need *node, edge plan.Need) {
	b := n.batch
	if need.decides(edge.When) {
		switch {
		case need.fails(edge.When) && n.fault == nil:
			n.fault = need
		case edge.When == plan.Ended && b.err == nil:
			b.err = need.err
		}
		if need.up() {
			if n.fault == nil {
				n.fault = need.service.lost
			}
			need.dependents = append(need.dependents, wait{by: n, when: edge.When, decided: true})
		}
		return
	}
	need.dependents = append(need.dependents, wait{by: n, when: edge.When, timer: l.limit(n, need, edge.Limit)})
	n.needs++
	if !edge.When.Outlives() && need.service == nil {
		return
	}
	need.early = true
	if edge.When != plan.After {
		b.linger(need)
	}
}

// linger makes b wait for a need that may outlive its dependents.
func (b *batch) linger(need *node) {
	if need.batch != b || need.lingers != forgotten {
		return
	}
	b.lingering = append(b.lingering, need)
	if need.service != nil && b.caller != nil {
		need.lingers = noted
		return
	}
	need.lingers = awaited
	b.pending++
}
