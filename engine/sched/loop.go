package sched

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

type state uint8

const (
	waiting state = iota
	ready
	running
	suspended
	settled
)

// node is a step in the loop's table. Only the loop touches it, but for env,
// which the step's goroutine reads.
type node struct {
	step  *plan.Step
	batch *batch
	env   Env
	index int32 // in batch.plan
	needs int32 // how many have not settled
	order uint64
	state state
	// slotless steps take no slot: somebody who runs waits for them.
	slotless bool
	cancel   context.CancelCauseFunc // of the running step, where it can be cancelled alone
	ctx      context.Context

	dependents []*node  // wait for this one
	callers    []*batch // have this one as a root
	awaits     *batch   // what a suspended step waits for; others, called at the same time, are linked to it

	limits []*clock.Timer // of needs that may not take longer

	fault   *node // the first need that failed
	missed  error // a need that goes on for others took too long; nil if none did
	result  event.Outcome
	err     error // wrapped
	started time.Time
}

// batch is a plan under way.
type batch struct {
	run        *Run
	plan       *plan.Plan
	ctx        context.Context
	caller     *node  // the step whose body waits for it; nil for the command line
	alongside  *batch // another one that the caller waits for
	reply      chan error
	nodes      []*node
	roots      int // how many have not settled
	err        error
	individual bool               // steps can be cancelled one by one
	shares     bool               // it has shared steps of its own that may go on without it
	joins      bool               // it has some of others
	awaited    map[*node]bool     // see others; nil when it is not known
	connected  bool               // its roots are connected to what runs already
	streams    map[*node]*streams // nil if the plan has none
}

// loop is the state of a Run. One goroutine owns it.
type loop struct {
	r       *Run
	ready   queue
	resumes []*batch             // finished batches whose callers wait for a slot
	shared  map[*plan.Step]*node // nil until there is one
	work    chan *node
	idle    int // workers that wait for work
	active  int // slots taken
	batches uint64
	lastID  event.StepID
	adm     admission
}

func newLoop(r *Run) *loop {
	return &loop{r: r, work: make(chan *node), adm: newAdmission(&r.o)}
}

// serve is the loop.
func (l *loop) serve() {
	defer close(l.r.end)
	defer close(l.work)
	for {
		l.dispatch()
		select {
		case m := <-l.r.mail:
			l.handle(m)
		case <-l.r.quit:
			return
		case <-l.adm.timer():
			l.adm.expired()
		}
	}
}

func (l *loop) handle(m message) {
	switch {
	case m.submit != nil:
		l.accept(m.submit)
	case m.done != nil:
		l.free(m.done)
		l.idle++
		now := time.Now()
		l.adm.ended(now)
		l.ended(now, m.done, m.outcome)
	case m.timeout != nil:
		l.late(m.timeout, m.of, &TimedOut{Name: m.timeout.step.Label, After: m.after, Need: true})
	case m.release != nil:
		l.suspend(m.release)
	case m.resume != nil:
		l.resumes = append(l.resumes, m.resume)
	case m.drain != nil:
		l.drain(m.drain)
	}
}

// dispatch gives free slots to resumed callers first, then to ready steps.
func (l *loop) dispatch() {
	for len(l.resumes) > 0 && l.adm.admits(l.active) {
		b := l.resumes[len(l.resumes)-1]
		l.resumes = l.resumes[:len(l.resumes)-1]
		l.resume(b)
	}
	for len(l.ready) > 0 && l.adm.admits(l.active) {
		n := l.ready.pop()
		if n.state != ready {
			continue
		}
		if n.env.Gang != nil && !l.adm.admitsAll(l.active, len(n.env.Gang.nodes)) {
			// What comes after it waits, too: else it might wait for ever.
			l.ready.push(n)
			break
		}
		l.startAll(n)
	}
	l.adm.arm(len(l.ready) > 0 || len(l.resumes) > 0)
}

// noMore takes b out of what n waits for.
func (n *node) noMore(b *batch) {
	for at := &n.awaits; *at != nil; at = &(*at).alongside {
		if *at == b {
			*at = b.alongside
			return
		}
	}
}

// resume lets the caller of b go on; it has no slot as long as it waits for others.
func (l *loop) resume(b *batch) {
	b.caller.noMore(b)
	if b.caller.awaits != nil {
		b.reply <- b.err
		return
	}
	l.take(b.caller)
	b.caller.state = running
	l.r.o.Emit(&event.Resumed{Time: time.Now(), Step: b.caller.env.ID})
	b.reply <- b.err
}

// accept adds a plan's steps to the table.
func (l *loop) accept(b *batch) {
	p := b.plan
	l.batches++
	b.nodes = make([]*node, len(p.Steps))
	slab := make([]node, len(p.Steps))
	b.individual = l.r.o.Failfast
	var alone []bool
	if b.caller == nil || b.caller.env.Stdin {
		alone = p.Alone()
	}
	var joined []*node
	for i, s := range p.Steps {
		if s.Shared() {
			if known := l.shared[s]; known != nil {
				b.nodes[i] = known
				if known.state != settled {
					joined = append(joined, known)
					b.joins, known.batch.awaited = true, nil
				}
				continue
			}
		}
		n := &slab[i]
		id := l.nextID()
		*n = node{step: s, batch: b, index: int32(i), order: (^l.batches)<<32 | uint64(i)}
		n.env = Env{ID: id, node: n, Stdin: l.r.o.Limit == 1 || alone != nil && alone[i]}
		b.nodes[i] = n
		b.individual = b.individual || s.Task.Failfast
		if s.Shared() {
			b.shares = b.caller != nil
			s.Adopt()
			if l.shared == nil {
				l.shared = make(map[*plan.Step]*node, len(p.Steps))
			}
			l.shared[s] = n
		}
	}
	l.link(b)
	l.gather(b)
	l.r.o.Emit(&event.Planned{Time: time.Now(), Steps: len(p.Steps), Edges: p.Edges(), Parent: callerID(b.caller)})
	if b.caller != nil {
		if b.caller.state == running {
			l.suspend(b.caller)
		}
		b.alongside, b.caller.awaits = b.caller.awaits, b
		if path := l.deadlock(b, joined); path != nil {
			l.abandon(b, path)
			return
		}
	}
	nothing := b.roots == 0 // else whichever root settles last finishes b, at once perhaps
	for _, n := range b.nodes {
		if n.batch == b && n.state == waiting && n.needs == 0 {
			l.becomeReady(n)
		}
	}
	if nothing {
		l.finish(b)
	}
}

func (l *loop) nextID() event.StepID {
	if ids := l.r.o.IDs; ids != nil {
		return event.StepID(ids.Add(1))
	}
	l.lastID++
	return l.lastID
}

// suspend takes n's slot away while it waits.
func (l *loop) suspend(n *node) {
	n.state = suspended
	l.free(n)
	l.r.o.Emit(&event.Suspended{Time: time.Now(), Step: n.env.ID})
}

func callerID(n *node) event.StepID {
	if n == nil {
		return 0
	}
	return n.env.ID
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
				l.connect(n, need)
				continue
			}
			if need.state == settled {
				if need.err != nil && n.fault == nil {
					n.fault = need
				}
				continue
			}
			need.dependents = append(need.dependents, n)
			n.needs++
			if edge.Limit > 0 {
				b.individual = true
				l.watch(need, n, edge.Limit)
			}
		}
	}
	for _, i := range b.plan.Roots {
		root := b.nodes[i]
		if root.batch == b && root.env.Parent == 0 {
			root.env.Parent = callerID(b.caller)
		}
		if root.state == settled {
			if b.err == nil {
				b.err = root.err
			}
			continue
		}
		root.callers = append(root.callers, b)
		b.roots++
	}
}

// watch ends, for of, the waiting for a need that takes longer than d.
func (l *loop) watch(n, of *node, d time.Duration) {
	n.limits = append(n.limits, l.r.o.Clock.AfterFunc(d, func() { l.r.tell(message{timeout: n, of: of, after: d}) }))
}

func (l *loop) becomeReady(n *node) {
	n.state = ready
	if n.env.Gang != nil {
		l.gathered(n)
		return
	}
	if n.slotless && !n.hopeless() {
		l.start(n)
		return
	}
	if n.hopeless() {
		l.settle(n, l.withoutRunning(n))
		return
	}
	l.ready.push(n)
}

// hopeless reports whether n cannot start any more.
func (n *node) hopeless() bool { return n.fault != nil || n.missed != nil || n.over() }

// withoutRunning is the outcome of a step that cannot start any more.
func (l *loop) withoutRunning(n *node) Outcome {
	if n.fault != nil {
		return Outcome{Result: event.Skipped, Err: n.fault.err}
	}
	if n.missed != nil {
		return Outcome{Result: event.Skipped, Err: n.missed}
	}
	if n.ctx != nil {
		return Outcome{Result: event.Cancelled, Err: context.Cause(n.ctx)}
	}
	return Outcome{Result: event.Cancelled, Err: context.Cause(n.batch.ctx)}
}

// start gives n a slot and a worker.
func (l *loop) start(n *node) {
	if n.over() {
		l.settle(n, l.withoutRunning(n))
		return
	}
	n.ctx, n.cancel = n.batch.ctxOf()
	n.state = running
	n.started = time.Now()
	l.take(n)
	s := n.step
	l.r.o.Emit(&event.StepStarted{Time: n.started, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix, Pos: s.Task.Pos, Silent: s.Silent})
	if l.idle > 0 {
		l.idle--
		l.work <- n
		return
	}
	go l.worker(n)
}

// worker executes n and then whatever else it is given: a goroutine that has
// run a step has the stack that steps need.
func (l *loop) worker(n *node) {
	for ok := true; ok; n, ok = <-l.work {
		out := l.r.o.Executor.Execute(n.ctx, n.step, &n.env)
		l.r.mail <- message{done: n, outcome: out}
	}
}
