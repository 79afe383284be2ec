package sched

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// search determines whether steps that wait for pools can ever get their shares: whether enough
// holders can end. A running body can, and other steps can if all that they wait for can; what
// bodies will do is unknown. It is made only when a step begins to wait for one that is itself
// waiting, or such steps begin to wait for others.
type search struct {
	l     *loop
	order bool   // steps that wait for the same pool do not overtake each other
	goals []goal // all relevant goals
	can   map[goal]bool
}

func (l *loop) search(nodes []*node, order bool) *search {
	s := &search{l: l, order: order, can: map[goal]bool{}}
	for _, n := range nodes {
		s.reach(goal{n, true})
	}
	for changed := true; changed; {
		changed = false
		for _, g := range slices.Backward(s.goals) {
			if !s.can[g] && s.met(g) {
				s.can[g], changed = true, true
			}
		}
	}
	return s
}

// starved returns the last of nodes that can never get its share; nil if all can.
func (s *search) starved(nodes []*node) *node {
	for _, n := range slices.Backward(nodes) {
		if !s.can[goal{n, true}] {
			return n
		}
	}
	return nil
}

// resolveDeadlock makes sure that all nodes that wait for pools can get their shares, and reports
// whether it had to change anything. If only their order is in the way, some go before others;
// otherwise the newest one fails.
func (l *loop) resolveDeadlock() bool {
	l.deadlockSuspected = false
	l.parked = slices.DeleteFunc(l.parked, func(n *node) bool { return n.queue == nil || n.queue == &l.ready || n.queue == &l.away })
	inOrder := l.search(l.parked, true)
	if inOrder.starved(l.parked) == nil {
		return false
	}
	anyhow := l.search(l.parked, false)
	if n := anyhow.starved(l.parked); n != nil {
		n.verdict = &Outcome{Result: event.Failed, Err: anyhow.problem(goal{n, true})}
		if g := n.env.Gang; g != nil {
			g.fault = n
			l.failGang(g)
		} else {
			l.settle(time.Now(), n, n.withoutRunning())
		}
		l.deadlockSuspected = true // check the others, too
		return true
	}
	var pools []*pool
	for _, n := range l.parked {
		if p := n.waitsForPart().pool; !inOrder.can[goal{n, true}] && !n.ties.taking.urgent {
			n.ties.taking.urgent = true
			p.urgent = append(p.urgent, n)
			pools = append(pools, p)
		}
	}
	for _, p := range pools {
		l.grant(p)
	}
	l.deadlockSuspected = len(pools) > 0
	return l.deadlockSuspected
}

// reach adds g and everything it depends on.
func (s *search) reach(g goal) {
	if _, seen := s.can[g]; seen {
		return
	}
	s.can[g] = false
	s.goals = append(s.goals, g)
	s.l.conditions(g, func(other goal) bool { s.reach(other); return true })
	if p := g.n.waitsForPart(); p != nil {
		for _, t := range p.pool.holders {
			t.eachUser(func(n *node) { s.reach(goal{n, false}) })
		}
		if first := s.before(g.n, p); first != nil {
			s.reach(goal{first, true})
		}
	}
}

// before returns the node that waits for a share of the same pool and goes before n; nil if there
// is none.
func (s *search) before(n *node, p *part) *node {
	if first := p.pool.queue.next(); s.order && !n.ties.taking.urgent && first != n {
		return first
	}
	return nil
}

// met reports whether g will be met, as far as is known.
func (s *search) met(g goal) bool {
	if n := g.n; n.service != nil && !g.up && n.service.rooted > 0 && n.state < ended {
		return false
	}
	all := true
	s.l.conditions(g, func(other goal) bool {
		all = s.can[other]
		return all
	})
	p := g.n.waitsForPart()
	if !all || p == nil {
		return all
	}
	if first := s.before(g.n, p); first != nil && !s.can[goal{first, true}] {
		return false
	}
	free := p.pool.size
	for _, t := range p.pool.holders {
		if !s.ends(t) {
			free -= t.sizeOf(p.pool)
		}
	}
	return free >= p.size
}

// ends reports whether t will be released.
func (s *search) ends(t *taking) bool {
	ends := true
	t.eachUser(func(n *node) { ends = ends && s.can[goal{n, false}] })
	return ends
}

// eachUser calls f for the nodes that hold a share of t.
func (t *taking) eachUser(f func(*node)) {
	for _, n := range t.nodes {
		f(n)
	}
	if len(t.nodes) > 0 {
		return
	}
	for _, p := range t.lent {
		for _, h := range p.holders {
			h.eachUser(f)
		}
	}
}

func (t *taking) sizeOf(p *pool) int {
	size := 0
	for _, part := range t.parts[:t.has] {
		if part.pool == p {
			size += part.size
		}
	}
	return size
}

// waitsForPart returns the share that n waits for; nil if it waits for none.
func (n *node) waitsForPart() *part {
	t := n.ties.taking
	if t == nil || n.state != ready || t.has == len(t.parts) {
		return nil
	}
	return &t.parts[t.has]
}

// problem returns the error of a step that can never get its share of a pool.
func (s *search) problem(g goal) error {
	n, pool := g.n, g.n.waitsForPart().pool.name
	pos := n.step.TaskPos()
	if n.takes() {
		pos = n.step.Task.Running.PoolPos
	}
	var why []string
	for seen := map[*node]bool{}; g.n != nil && !seen[g.n]; {
		seen[g.n] = true
		text, next := s.obstacle(g)
		why = append(why, text)
		g = next
	}
	return &diag.Diagnostic{Pos: pos, Kind: diag.Cycle, What: fmt.Sprintf("task %q would wait for pool %q forever", n.step.Label, pool),
		Why: strings.Join(why, ", and "), Fix: "let only one of them take from the pool, or enlarge it"}
}

// obstacle returns why g will never be met, and the next goal to explain; "" if that is the end of
// the run.
func (s *search) obstacle(g goal) (why string, next goal) {
	missing := func(other goal) bool {
		if next.n == nil && !s.can[other] {
			next = other
		}
		return next.n == nil
	}
	n := g.n
	s.l.conditions(g, missing)
	switch {
	case next.n != nil && n.up():
		return fmt.Sprintf("%q is up as long as %q needs it", n.step.Label, next.n.step.Label), next
	case next.n != nil:
		return fmt.Sprintf("%q waits for %q", n.step.Label, next.n.step.Label), next
	case n.waitsForPart() == nil:
		return fmt.Sprintf("%q is up until the run ends", n.step.Label), next
	}
	p := n.waitsForPart().pool
	for _, t := range p.holders {
		t.eachUser(func(h *node) { missing(goal{h, false}) })
	}
	return fmt.Sprintf("%q waits for units that %q has of pool %q", n.step.Label, next.n.step.Label, p.name), next
}
