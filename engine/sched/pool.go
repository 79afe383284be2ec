package sched

import (
	"slices"
	"sort"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Pools. A step that takes from a pool holds its share from before it starts until its body has
// ended: also while it is suspended, and while it is a ready service. It takes the share when a
// slot is free; if it must wait, it does so in the pool's own queue, where it blocks no slot, and
// then keeps the share while it waits for a slot again. A gang takes the shares of its members
// together, at most the size of the pool; several pools are taken in the order of their names, so
// that two gangs do not wait for each other.
//
// A step lends its shares to the steps that it calls: they take from those first. So a task may
// call another one that takes from the same pool; if the pool is a mutex, only one of the called
// tasks holds it at any time. A service does not borrow, because it may outlive the call. Other
// deadlocks are detected, see [search].

// pool is the capacity of a pool of the file, or the share of a step, for the steps that it calls.
type pool struct {
	name    string
	size    int
	taken   int
	holders []*taking
	queue   queue   // nodes that wait for their share
	urgent  []*node // nodes that go before others, including some that have left
	lender  *taking // step whose share this is; nil: none
}

// taking is the use of pools by a step or a gang.
type taking struct {
	nodes []*node // those whose bodies have not ended
	parts []part  // in the order in which they are taken
	has   int     // number of parts taken
	lent  []*pool // shares that called steps have used
	// urgent means that holders of shares wait for it: nodes that wait for these shares must not delay
	// it.
	urgent bool
}

// part is a share of a pool.
type part struct {
	pool *pool
	size int
}

// claim returns what n and its gang must take before they start, or nil.
func (l *loop) claim(n *node) *taking {
	if n.env.Gang == nil && !n.takes() {
		return nil
	}
	nodes := []*node{n}
	if n.env.Gang != nil {
		nodes = n.env.Gang.nodes
	}
	if !slices.ContainsFunc(nodes, (*node).takes) {
		return nil
	}
	wanted := map[string]int{}
	for _, m := range nodes {
		if p := m.step.Pool(); p.Name != "" {
			wanted[p.Name] += int(p.Take)
		}
	}
	lender := n.batch.caller
	if slices.ContainsFunc(nodes, func(m *node) bool { return m.service != nil }) {
		lender = nil
	}
	t := &taking{nodes: slices.Clone(nodes)}
	for name, size := range wanted {
		t.parts = append(t.parts, l.parts(lender, name, size)...)
	}
	t.urgent = slices.ContainsFunc(t.parts, func(p part) bool { return p.pool.lender != nil })
	if len(t.parts) > 1 {
		sort.SliceStable(t.parts, func(i, j int) bool { return t.parts[i].pool.name < t.parts[j].pool.name })
	}
	for _, m := range nodes {
		m.tie().taking = t
	}
	return t
}

// takes reports whether n takes from a pool.
func (n *node) takes() bool { return n.step.Pool().Name != "" }

// parts returns where size of a pool is taken from: shares lent by caller and its callers, and the
// pool of the file for the rest.
func (l *loop) parts(caller *node, name string, size int) (parts []part) {
	file := l.pool(name)
	size = min(size, file.size)
	for c := caller; c != nil; c = c.batch.caller {
		if p := l.lentBy(c, name); p != nil && size > 0 {
			parts = append(parts, part{p, min(size, p.size)})
			size -= parts[len(parts)-1].size
		}
	}
	if size > 0 {
		parts = append(parts, part{file, size})
	}
	return parts
}

// pool returns the pool of the file with a name.
func (l *loop) pool(name string) *pool {
	if l.pools[name] == nil {
		if l.pools == nil {
			l.pools = map[string]*pool{}
		}
		l.pools[name] = &pool{name: name, size: max(1, l.r.o.Pools[name]), queue: queue{patience: l.ready.patience}}
	}
	return l.pools[name]
}

// lentBy returns the share of n in a pool, for the steps that it calls; nil if it has none.
func (l *loop) lentBy(n *node, name string) *pool {
	t := n.ties.taking
	if t == nil || n.state >= ended {
		return nil
	}
	if i := slices.IndexFunc(t.lent, func(p *pool) bool { return p.name == name }); i >= 0 {
		return t.lent[i]
	}
	size := 0
	for _, p := range t.parts {
		if p.pool.name == name {
			size += p.size
		}
	}
	if size == 0 {
		return nil
	}
	p := &pool{name: name, size: size, lender: t, queue: queue{patience: l.ready.patience}}
	t.lent = append(t.lent, p)
	return p
}

// acquire takes the shares of n, and reports whether it has all of them. Otherwise n waits for the
// next one.
func (l *loop) acquire(n *node) bool {
	t := n.ties.taking
	if t == nil {
		if t = l.claim(n); t == nil {
			return true
		}
	}
	for t.has < len(t.parts) {
		p := t.parts[t.has]
		if !p.fits() || !t.urgent && p.pool.queue.next() != nil {
			l.park(n, p.pool)
			return false
		}
		t.take()
	}
	return true
}

// fits reports whether p is available.
func (p part) fits() bool { return p.pool.taken+p.size <= p.pool.size }

// take takes the next share.
func (t *taking) take() {
	p := t.parts[t.has]
	t.has++
	p.pool.taken += p.size
	p.pool.holders = append(p.pool.holders, t)
}

// park makes n wait for its share of p.
func (l *loop) park(n *node, p *pool) {
	p.queue.push(n)
	l.parked = append(l.parked, n)
	if n.ties.taking.urgent {
		p.urgent = append(p.urgent, n)
	}
	l.reportWaiting(time.Now(), n, event.Pool(p.name), p.holder())
	l.suspectDeadlock(n)
}

// suspectDeadlock schedules a deadlock check for n, unless running bodies will certainly release
// enough.
func (l *loop) suspectDeadlock(n *node) {
	p := n.waitsForPart()
	sure := p.pool.size
	for _, t := range p.pool.holders {
		runs := true
		t.eachUser(func(h *node) { runs = runs && (h.state == running || h.state == ready && h.waitsForPart() == nil) })
		if !runs {
			sure -= t.sizeOf(p.pool)
		}
	}
	l.deadlockSuspected = l.deadlockSuspected || p.size > sure
}

// holder returns the name of one holder of p.
func (p *pool) holder() string {
	for _, t := range p.holders {
		for _, n := range t.nodes {
			return n.step.Label
		}
	}
	return ""
}

// grant gives the available part of p to the nodes that wait for it.
func (l *loop) grant(p *pool) {
	for n := p.next(); n != nil; n = p.next() {
		p.queue.remove(n)
		n.ties.taking.take()
		if l.acquire(n) {
			l.enqueue(n)
		}
	}
	if n := p.queue.next(); n != nil {
		l.suspectDeadlock(n)
	}
}

// next returns the node that gets its share of p now; nil if none.
func (p *pool) next() *node {
	p.urgent = slices.DeleteFunc(p.urgent, func(n *node) bool { return n.queue != &p.queue })
	if at := slices.IndexFunc(p.urgent, func(n *node) bool { return n.waitsForPart().fits() }); at >= 0 {
		return p.urgent[at]
	}
	if n := p.queue.next(); n != nil && len(p.urgent) == 0 && n.waitsForPart().fits() {
		return n
	}
	return nil
}

// giveBack records that the body of n has ended, or never begins, and releases the shares of its
// gang when all of its bodies have ended and nothing lent is in use.
func (l *loop) giveBack(n *node) {
	n.ties.taking.nodes = slices.DeleteFunc(n.ties.taking.nodes, func(m *node) bool { return m == n })
	l.release(n.ties.taking)
}

func (l *loop) release(t *taking) {
	if len(t.nodes) > 0 || slices.ContainsFunc(t.lent, func(p *pool) bool { return p.taken > 0 }) {
		return
	}
	for t.has > 0 {
		t.has--
		p := t.parts[t.has]
		p.pool.taken -= p.size
		p.pool.holders = slices.DeleteFunc(p.pool.holders, func(h *taking) bool { return h == t })
		l.grant(p.pool)
		if p.pool.lender != nil {
			l.release(p.pool.lender)
		}
	}
}
