package sched

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/stack"
)

// loop is the state of a Run. One goroutine owns it.
type loop struct {
	r       *Run
	slots   slots
	ready   queue
	resumes []*batch             // batches that have ended, whose callers wait for their slots
	shared  map[*plan.Step]*node // nil until there is one
	work    chan job
	idle    int // workers that wait for work
	batches uint64
}

func newLoop(r *Run) *loop {
	return &loop{r: r, work: make(chan job), slots: newSlots(&r.o)}
}

// run is the loop.
func (l *loop) run() {
	defer close(l.r.end)
	defer close(l.work)
	for {
		l.dispatch()
		select {
		case m := <-l.r.mail:
			l.handle(m)
		case <-l.r.quit:
			return
		case <-l.slots.timer():
			l.slots.expired()
		}
	}
}

func (l *loop) handle(m message) {
	switch {
	case m.submit != nil:
		l.accept(m.submit)
	case m.done != nil:
		l.idle++
		now := time.Now()
		l.slots.ended(now)
		l.conclude(now, m.done, m.outcome)
	case m.expired != nil:
		l.expire(m.expired)
	case m.serving != nil:
		l.set(m.serving, serving, nil)
	case m.release != nil:
		l.suspend(m.release)
	case m.resume != nil:
		l.resumes = append(l.resumes, m.resume)
	case m.drain != nil:
		l.drain(m.drain)
	}
}

// dispatch gives free slots to resumed callers first, then to ready steps. What is
// first in line waits until it fits, and all behind it with it: else what takes many
// slots might wait for ever.
func (l *loop) dispatch() {
	for len(l.resumes) > 0 {
		b := l.resumes[len(l.resumes)-1]
		if !l.slots.admits(l.costOf(b.caller)) {
			break
		}
		l.resumes = l.resumes[:len(l.resumes)-1]
		l.resume(b)
	}
	for len(l.ready) > 0 && len(l.resumes) == 0 {
		n := l.ready[0].node
		if n.state == ready && !l.slots.admits(l.costOf(n)) {
			break
		}
		l.ready.pop()
		if n.state == ready {
			l.startAll(n)
		}
	}
	l.slots.arm(len(l.ready) > 0 || len(l.resumes) > 0)
}

// held is what n holds, together with its gang.
func (l *loop) held(n *node) share {
	switch g := n.env.Gang; {
	case g != nil:
		return share{l.slots.cost(g.weight[running], g.weight[suspended]), g.weight[suspended] > 0}
	case n.state == running:
		return share{slots: l.slots.cost(n.weight, 0)}
	}
	return share{}
}

// costOf is how many slots more it takes to run n: if it is ready with all its gang, if it
// is suspended alone.
func (l *loop) costOf(n *node) int {
	switch g := n.env.Gang; {
	case n.state != ready && n.state != suspended:
		return 0
	case g == nil:
		return l.slots.cost(n.weight, 0)
	case n.state == ready:
		return l.slots.cost(g.weight[ready], 0)
	default:
		return l.slots.cost(g.weight[running]+n.weight, g.weight[suspended]-n.weight) - l.held(n).slots
	}
}

func (l *loop) becomeReady(n *node) {
	l.set(n, ready, nil)
	switch {
	case n.env.Gang != nil:
		l.memberReady(n)
	case n.cannotStart():
		l.settle(time.Now(), n, n.withoutRunning())
	default:
		l.enqueue(n)
	}
}

// enqueue has n, or its gang, wait for slots, unless it takes none.
func (l *loop) enqueue(n *node) {
	if l.costOf(n) == 0 {
		l.startAll(n)
		return
	}
	l.ready.push(n)
}

// start gives n a worker.
func (l *loop) start(n *node) {
	if n.unwanted() {
		l.settle(time.Now(), n, n.withoutRunning())
		return
	}
	j := job{node: n}
	j.ctx, n.cancel = n.batch.contextOfStep()
	n.started = time.Now()
	s := n.step
	l.set(n, running, &event.StepStarted{Time: n.started, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix, Pos: s.TaskPos(), Silent: s.Silent})
	if l.idle > 0 {
		l.idle--
		l.work <- j
		return
	}
	go l.worker(j)
}

// job is a step to be executed.
type job struct {
	ctx  context.Context
	node *node
}

// worker executes j and then whatever else it is given: a goroutine that has
// run a step has the stack that steps need.
func (l *loop) worker(j job) {
	stack.Grow()
	for ok := true; ok; j, ok = <-l.work {
		out := l.r.o.Executor.Execute(j.ctx, j.node.step, &j.node.env)
		l.r.mail <- message{done: j.node, outcome: out}
	}
}

// suspend takes n's slots away while it waits.
func (l *loop) suspend(n *node) {
	if n.state == running {
		l.set(n, suspended, &event.Suspended{Time: time.Now(), Step: n.env.ID})
	}
}

// finish answers the caller of b: when it has its slots again, unless it waits for other
// batches, too.
func (l *loop) finish(b *batch) {
	if b.drop != nil {
		b.errs = b.rootErrors()
	}
	switch {
	case b.caller == nil:
		b.reply <- b.err
	case b.caller.awaitsOther(b):
		l.resume(b)
	default:
		l.resumes = append(l.resumes, b)
	}
}

// resume lets the caller of b go on; it has no slots as long as it waits for others.
func (l *loop) resume(b *batch) {
	b.caller.stopAwaiting(b)
	if b.caller.awaits == nil && b.caller.state == suspended {
		l.set(b.caller, running, &event.Resumed{Time: time.Now(), Step: b.caller.env.ID})
	}
	b.reply <- b.err
}

// awaitsOther reports whether n waits for other batches than b.
func (n *node) awaitsOther(b *batch) bool {
	return n.awaits != nil && (n.awaits != b || b.alongside != nil)
}

// stopAwaiting takes b out of what n waits for.
func (n *node) stopAwaiting(b *batch) {
	for at := &n.awaits; *at != nil; at = &(*at).alongside {
		if *at == b {
			*at = b.alongside
			return
		}
	}
}
