package sched

import "slices"

// queue contains the ready steps that wait for the same thing: for slots, or for a pool. Its order
// is:
//
//  1. the newest plan, because a suspended step waits for it;
//  2. the longest chain of dependents, see [loop.measure];
//  3. the longest wait;
//  4. source order.
//
// With one slot that is the order of the plan: depth first, as written. With several slots, the
// step that has waited longest is next after as many later ones as there are slots have overtaken
// it, so that no step starves.
type queue struct {
	run       []entry // sorted from head on, as most steps arrive in order; removed entries remain, as in heap
	head      int     // index in run of the first entry that was not dropped
	heap      []entry // a binary heap of the entries that arrived out of order
	arrivals  []*node // nodes in order of arrival; not used with one slot
	overtaken int     // number of later nodes removed since arrivals[0] became the first
	patience  int     // maximum of overtaken; 0: unlimited
}

// entry is a step with its sort key. The key is stored inline, without the interface of
// container/heap, because each step costs a push and a pop.
type entry struct {
	first  uint64 // plan, and length of the chain
	second uint64 // arrival, and index in the plan
	node   *node
}

func (e *entry) before(o *entry) bool {
	return e.first < o.first || e.first == o.first && e.second < o.second
}

// grow reserves space for n more entries.
func (q *queue) grow(n int) {
	q.run = slices.Grow(q.run, n)
	if q.patience > 0 {
		q.arrivals = slices.Grow(q.arrivals, n)
	}
}

func (q *queue) push(n *node) {
	n.queue = q
	if q.patience > 0 {
		q.arrivals = append(q.arrivals, n)
	}
	e := entry{^n.batch.number<<32 | uint64(^n.chain), uint64(n.readyRound)<<32 | uint64(n.index), n}
	if q.head == len(q.run) || q.run[len(q.run)-1].before(&e) {
		q.run = append(q.run, e)
		return
	}
	h := append(q.heap, e)
	q.heap = h
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// next returns the next node, or nil if the queue is empty.
func (q *queue) next() *node {
	for len(q.arrivals) > 0 && q.arrivals[0].queue != q {
		q.arrivals, q.overtaken = q.arrivals[1:], 0
	}
	if len(q.arrivals) > 0 && q.overtaken >= q.patience {
		return q.arrivals[0]
	}
	for e := q.first(); e != nil; e = q.first() {
		if e.node.queue == q {
			return e.node
		}
		q.drop(e)
	}
	return nil
}

// first returns the first entry, or nil if there is none.
func (q *queue) first() *entry {
	switch ran := q.head == len(q.run); {
	case ran && len(q.heap) == 0:
		return nil
	case ran || len(q.heap) > 0 && q.heap[0].before(&q.run[q.head]):
		return &q.heap[0]
	}
	return &q.run[q.head]
}

// drop removes e, which is the first entry.
func (q *queue) drop(e *entry) {
	if len(q.heap) > 0 && e == &q.heap[0] {
		q.pop()
		return
	}
	*e = entry{}
	if q.head++; q.head == len(q.run) {
		q.run, q.head = q.run[:0], 0
	}
}

// size returns the number of entries, including removed ones.
func (q *queue) size() int { return len(q.run) - q.head + len(q.heap) }

// each calls f for every entry, in any order.
func (q *queue) each(f func(*node)) {
	for _, e := range q.run[q.head:] {
		f(e.node)
	}
	for _, e := range q.heap {
		f(e.node)
	}
}

// remove removes n, which was returned by next.
func (q *queue) remove(n *node) {
	n.queue = nil
	if len(q.arrivals) > 0 && q.arrivals[0] != n && q.arrivals[0].readyRound < n.readyRound {
		q.overtaken++
	}
}

// pop removes the first entry of the heap, which must not be empty.
func (q *queue) pop() {
	h := q.heap
	last := h[len(h)-1]
	h[len(h)-1] = entry{}
	h = h[:len(h)-1]
	q.heap = h
	if len(h) == 0 {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].before(&h[child]) {
			child = right
		}
		if !h[child].before(&last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
}
