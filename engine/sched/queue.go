package sched

import "slices"

// queue is a binary heap of ready nodes: the newest plan first, then in plan
// order. A step costs a push and a pop, so the order stands beside the node
// and nothing is reached through an interface, as in container/heap.
type queue []entry

type entry struct {
	order uint64
	node  *node
}

func (q *queue) push(n *node) {
	e := entry{^n.batch.number<<32 | uint64(n.index), n}
	h := append(*q, e)
	*q = h
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].order <= e.order {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// pop removes the first node. The queue must not be empty.
func (q *queue) pop() *node {
	h := *q
	first, last := h[0].node, h[len(h)-1]
	h[len(h)-1] = entry{}
	h = h[:len(h)-1]
	*q = h
	if len(h) > 0 {
		h.sink(0, last)
	}
	return first
}

// sink puts e into the heap below the free place i.
func (q queue) sink(i int, e entry) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if right := child + 1; right < len(q) && q[right].order < q[child].order {
			child = right
		}
		if e.order <= q[child].order {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = e
}

// keep drops the nodes that are not ready any more.
func (q *queue) keep() {
	kept := slices.DeleteFunc(*q, func(e entry) bool { return e.node.state != ready })
	for i := len(kept)/2 - 1; i >= 0; i-- {
		kept.sink(i, kept[i])
	}
	*q = kept
}
