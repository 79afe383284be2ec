package sched

import (
	"context"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/stack"
)

// loop is the state of a Run. One goroutine owns it.
type loop struct {
	r              *Run
	slots          slots
	tokens         tokens
	ready          queue                // waiting for slots
	away           queue                // waiting to be performed elsewhere
	awayTaken      int                  // number of steps that are
	unreported     []*node              // those whose wait was not reported; nil if reports are not wanted
	round          uint32               // number of iterations of run
	resumes        []*batch             // ended batches whose callers wait for their slots
	shared         map[*plan.Step]*node // nil until there is one
	closing        map[plan.Key]*node   // shared services that are ending; nil until there is one
	callHolds      []hold               // uses of called services by bodies
	asking         int                  // number of steps that wait for the answer of a server
	released       []hold               // uses that steps have given up before their end
	serves         bool                 // some step is a service or a service group
	closedChannels bool                 // some step accepts no more messages, see sendsTooLate
	up             int                  // number of ready services

	pools             map[string]*pool // used pools of the file
	parked            []*node          // waiting for a pool; some have got their share meanwhile
	deadlockSuspected bool             // parked nodes may be deadlocked
	work              chan job
	idle              int // idle workers

	quick      QuickChecker     // nil: no quick checks
	trust      int              // number of fresh steps in a row, see quickcheck.go
	spareBatch *quickCheckBatch // for reuse; nil: in use

	batches uint64
	keys    map[uint64]int // number of steps with each key, for events; nil until there is one

	now time.Time // time of this iteration: the end of a step, at which others start; zero: not read yet
}

func newLoop(r *Run) *loop {
	l := &loop{r: r, work: make(chan job), slots: newSlots(&r.o), tokens: tokens{from: r.o.Tokens}}
	if l.slots.limit > 1 {
		l.ready.patience = l.slots.limit
		l.quick, _ = r.o.Executor.(QuickChecker)
		l.trust = maxQuickChecks
	}
	if r.o.Places > 1 {
		l.away.patience = r.o.Places
	}
	return l
}

// run executes the loop until Close.
func (l *loop) run() {
	defer close(l.r.end)
	defer close(l.work)
	for {
		l.round++
		l.dispatch()
		l.now = time.Time{}
		select {
		case m := <-l.r.mail:
			l.handle(m)
		case <-l.r.quit:
			return
		case <-l.slots.timer():
			l.slots.expired()
		case <-l.tokens.free:
		}
	}
}

func (l *loop) handle(m message) {
	switch {
	case m.submit != nil:
		l.accept(m.submit)
	case m.quickChecked != nil:
		l.idle++
		l.quickChecked(m.quickChecked)
	case m.done != nil:
		l.idle++
		if l.trust++; m.outcome.Result != event.Fresh {
			l.trust = 0
		}
		l.now = time.Now()
		l.slots.stepEnded(l.now)
		l.conclude(l.now, m.done, m.outcome)
	case m.expired != nil:
		l.expire(m.expired)
	case m.serving != nil:
		if s := m.serving.service; s == nil || !s.closed {
			l.set(m.serving, serving, nil)
		}
	case m.release != nil:
		l.suspend(m.release)
	case m.holdHere != nil:
		l.holdHere(m.holdHere)
	case m.letGo != nil:
		l.letGo(m.letGo)
	case m.asks != nil:
		l.suspend(m.asks)
		m.asks.asking = true
		l.asking++
	case m.resume != nil:
		if n := m.resume.caller; n.asking {
			n.asking = false
			l.asking--
		}
		l.resumes = append(l.resumes, m.resume)
	case m.drain != nil:
		l.drain(m.drain)
	case m.releaseRoots != nil:
		l.releaseRoots(m.releaseRoots)
	case m.retire != nil:
		if s := m.retire.service; s != nil && !s.closed {
			l.retire(m.retire)
		}
	}
}

// dispatch gives free slots to waiting nodes.
func (l *loop) dispatch() {
	l.tokens.free = nil
	for l.admitNext() || l.admitAway() || l.deadlockSuspected && len(l.parked) > 0 && l.resolveDeadlock() {
	}
	l.tokens.settle(l.slots.taken)
	l.slots.arm(l.tokens.free == nil && (len(l.resumes) > 0 || l.nextReady() != nil))
	if len(l.unreported) > 0 {
		now := time.Now()
		for _, n := range l.unreported {
			if n.queue == &l.ready {
				l.reportWaiting(now, n, event.Slot, "")
			}
		}
		l.unreported = l.unreported[:0]
	}
}

// admitNext gives the next node its slots, resumed callers before ready steps, and reports whether
// it did. The next node blocks all others until it fits; otherwise a node with a large weight might
// starve.
func (l *loop) admitNext() bool {
	if len(l.resumes) > 0 {
		at := 0
		if l.slots.limit == 1 {
			at = len(l.resumes) - 1
		}
		b := l.resumes[at]
		if !l.admits(l.costOf(b.caller)) {
			return false
		}
		l.resumes = slices.Delete(l.resumes, at, at+1)
		l.resume(b)
		return true
	}
	next := l.nextReady()
	if next == nil || !l.admits(l.costOf(next)) {
		return false
	}
	if l.mayQuickCheck(next) {
		l.quickCheck(next)
		return true
	}
	l.ready.remove(next)
	if l.acquire(next) {
		l.startAll(next)
	}
	return true
}

// mostAsking is the maximum number of steps that wait for the answer of a server. More would take
// much memory, and be asked for no sooner.
const mostAsking = 128

// nextReady returns the ready node that gets slots next; nil if there is none, or none may start.
func (l *loop) nextReady() *node {
	if l.asking >= mostAsking {
		return nil
	}
	return l.ready.next()
}

// admits reports whether more slots are available.
func (l *loop) admits(more int) bool { return l.slots.admits(more) && l.tokens.admits(&l.slots, more) }

// reportWaiting reports what n waits for, with its gang, and who holds it.
func (l *loop) reportWaiting(now time.Time, n *node, what event.Resource, holder string) {
	nodes := []*node{n}
	if n.env.Gang != nil {
		nodes = n.env.Gang.nodes
	}
	for _, m := range nodes {
		l.r.o.Emit(&event.Waiting{Time: now, Step: m.env.ID, For: what, Holder: holder})
	}
}

// held returns the weight of n together with its gang.
func (l *loop) held(n *node) share {
	switch g := n.env.Gang; {
	case g != nil:
		return share{l.slots.cost(g.weight[running], g.weight[suspended]), g.weight[suspended] > 0}
	case n.state == running:
		return share{slots: l.slots.cost(n.weight, 0)}
	}
	return share{}
}

// costOf returns the number of slots needed to run n: with its gang if it is ready, alone if it is
// suspended.
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
	if n.readyRound = l.round; l.slots.limit == 1 {
		n.readyRound = 0
	}
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

// enqueue makes n, or its gang, wait for slots, or for a place elsewhere, unless it needs none.
func (l *loop) enqueue(n *node) {
	switch {
	case l.goesAway(n):
		l.away.push(n)
	case l.costOf(n) > 0:
		l.ready.push(n)
		if l.r.o.Detail {
			l.unreported = append(l.unreported, n)
		}
	case l.acquire(n):
		l.startAll(n)
	}
}

// start gives n a worker.
func (l *loop) start(n *node) {
	if n.unwanted() {
		l.settle(time.Now(), n, n.withoutRunning())
		return
	}
	j := job{node: n}
	j.ctx, n.cancel = n.context()
	if l.now.IsZero() {
		l.now = time.Now()
	}
	l.begin(n, l.now)
	l.hand(j)
}

// begin marks n as running.
func (l *loop) begin(n *node, now time.Time) {
	s := n.step
	n.started, n.record = true, &startRecord{started: event.StepStarted{Time: now, Step: n.env.ID, Parent: n.env.Parent, Task: s.Label, Name: s.Name, Prefix: s.Prefix, Pos: s.TaskPos(), Silent: s.Silent, Internal: s.Task.Internal, GivenVars: s.HasGivenVars(), Key: n.key()}}
	if l.r.o.OnStart != nil {
		l.r.o.OnStart(s, &n.record.started)
	}
	l.set(n, running, &n.record.started)
}

// job is a step to execute, or a batch of quick checks.
type job struct {
	ctx   context.Context // of the node
	node  *node
	batch *quickCheckBatch
}

// hand passes j to a worker.
func (l *loop) hand(j job) {
	if l.idle > 0 {
		l.idle--
		l.work <- j
		return
	}
	go l.worker(j)
}

// worker executes j and then further jobs: a goroutine that has run a step already has a large
// enough stack.
func (l *loop) worker(j job) {
	stack.Grow()
	for ok := true; ok; j, ok = <-l.work {
		if j.batch != nil {
			j.batch.run(l.quick.QuickCheck())
			l.r.mail <- message{quickChecked: j.batch}
			continue
		}
		out := l.r.o.Executor.Execute(j.ctx, j.node.step, &j.node.env)
		l.r.mail <- message{done: j.node, outcome: out}
	}
}

// suspend releases the slots of n while it waits.
func (l *loop) suspend(n *node) {
	if n.state == running {
		l.set(n, suspended, &event.Suspended{Time: time.Now(), Step: n.env.ID})
	}
}

// finish answers the caller of b: once it has its slots again, unless it also waits for other
// batches.
func (l *loop) finish(b *batch) {
	if b.rootsNotUp > 0 {
		b.rootsNotUp = 1
		b.rootUp()
	}
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

// resume continues the caller of b; it gets its slots only after its last batch.
func (l *loop) resume(b *batch) {
	b.caller.stopAwaiting(b)
	if b.caller.awaits == nil && b.caller.state == suspended {
		l.set(b.caller, running, &event.Resumed{Time: time.Now(), Step: b.caller.env.ID})
	}
	b.reply <- b.err
}

// awaitsOther reports whether n waits for batches other than b.
func (n *node) awaitsOther(b *batch) bool {
	return n.awaits != nil && (n.awaits != b || b.alongside != nil)
}

// stopAwaiting removes b from the batches that n waits for.
func (n *node) stopAwaiting(b *batch) {
	for at := &n.awaits; *at != nil; at = &(*at).alongside {
		if *at == b {
			*at = b.alongside
			return
		}
	}
}
