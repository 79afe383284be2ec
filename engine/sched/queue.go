package sched

// queue is a heap of ready nodes: the newest plan first, then in plan order.
type queue []*node

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool { return q[i].order < q[j].order }

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(*node)) }

func (q *queue) Pop() any {
	old := *q
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return n
}
