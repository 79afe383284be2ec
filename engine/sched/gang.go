package sched

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Gang is a set of steps that start together, because some read the output of others while they
// run: started one by one, a step could wait for another one that waits for its slot. It does not
// change once one of them executes.
//
// A gang is ready when the needs of all members are met. It takes the slots of all members at once;
// one larger than the limit runs alone. Its members settle in stream order, writers before readers,
// so that a reader fails with the writer it has read.
type Gang struct {
	// Readers lists the readers of each step that is read.
	Readers map[*plan.Step][]*plan.Step

	nodes   []*node
	weight  [settled + 1]int32 // sum of the members in each state
	pending int                // number of members that are not ready yet
	fault   *node              // a member that settled before the gang started
	started bool
}

// streams are the connections of a step with others of its gang.
type streams struct {
	readers []*node        // steps that read this one
	senders []*node        // steps that send messages to this one, and settle after it like readers
	writers int            // number of steps it reads, or sends messages to, that have not settled
	broken  *node          // the first of those that failed
	outcome *Outcome       // of a step that has ended, and waits for the steps it reads
	timers  []*clock.Timer // of readers with a time limit
}

// StartedError is the error of a stream whose writer started before its reader was planned.
type StartedError struct {
	Reader, Writer *plan.Step
}

func (e *StartedError) Error() string {
	return fmt.Sprintf("task %q reads what task %q writes while it runs, but that was started earlier; read the finished output instead: stdin: {output: %s}",
		e.Reader.Label, e.Writer.Label, e.Writer.Name)
}

// connect makes reader read from writer.
func connect(reader, writer *node) {
	if writer.batch != reader.batch {
		reader.verdict = &Outcome{Result: event.Failed, Err: &StartedError{Reader: reader.step, Writer: writer.step}}
		return
	}
	writer.stream().readers = append(writer.stream().readers, reader)
	reader.stream().writers++
}

// stream returns the connections of n, which it creates if necessary.
func (n *node) stream() *streams {
	if n.ties.streams == nil {
		n.tie().streams = &streams{}
	}
	return n.ties.streams
}

// limitStream ends the writer after the time limit of a reader.
func (l *loop) limitStream(reader, writer *node, limit time.Duration) {
	if t := l.limit(reader, writer, limit); t != nil && writer.ties.streams != nil {
		writer.ties.streams.timers = append(writer.ties.streams.timers, t)
	}
}

// makeGangs creates the gangs of a plan.
func (b *batch) makeGangs() {
	gangs := b.gangs()
	for _, members := range gangs {
		g := &Gang{Readers: map[*plan.Step][]*plan.Step{}}
		for _, i := range members {
			n := b.nodes[i]
			if n.batch != b {
				continue
			}
			n.env.Gang = g
			g.nodes = append(g.nodes, n)
			if n.ties.streams == nil {
				continue // the writer started earlier
			}
			for _, r := range n.ties.streams.readers {
				g.Readers[n.step] = append(g.Readers[n.step], r.step)
			}
		}
		g.pending = len(g.nodes)
		b.individual = true
	}
	if b.drop != nil {
		b.exemptRoots()
	}
	for _, members := range gangs {
		for _, i := range members {
			if n := b.nodes[i]; n.batch == b {
				n.env.Gang.weight[waiting] += n.weight
			}
		}
	}
}

// gangs returns the gangs of the plan. Connected roots form one gang if some take from pools: one
// could otherwise wait for a pool until another, which waits for it, has ended.
func (b *batch) gangs() [][]int32 {
	takes := func(s *plan.Step) bool { return s.Pool().Name != "" }
	if b.drop == nil || !slices.ContainsFunc(b.plan.Steps, takes) {
		return b.plan.Gangs
	}
	var others [][]int32
	roots := slices.Clone(b.plan.Roots)
	for _, g := range b.plan.Gangs {
		if slices.ContainsFunc(g, func(i int32) bool { return slices.Contains(b.plan.Roots, i) }) {
			roots = append(roots, g...)
		} else {
			others = append(others, g)
		}
	}
	sort.Slice(roots, func(i, j int) bool { return roots[i] < roots[j] })
	return append(others, slices.Compact(roots))
}

// exemptRoots lets the roots of b, and the steps that start together with them, start without
// waiting for slots, because a running step waits for them.
func (b *batch) exemptRoots() {
	for _, i := range b.plan.Roots {
		n := b.nodes[i]
		if n.batch != b {
			continue
		}
		n.weight = 0
		if n.env.Gang != nil {
			for _, m := range n.env.Gang.nodes {
				m.weight = 0
			}
		}
	}
}

// memberReady records that a member is ready, and enqueues its gang when all are.
func (l *loop) memberReady(n *node) {
	g := n.env.Gang
	if g.fault == nil && n.cannotStart() {
		g.fault = n
	}
	if g.pending--; g.pending > 0 {
		return
	}
	if g.fault != nil {
		l.failGang(g)
		return
	}
	l.enqueue(g.nodes[0])
}

// failGang settles the members of a gang that cannot start because of its fault.
func (l *loop) failGang(g *Gang) {
	g.started = true
	for _, n := range append([]*node{g.fault}, g.nodes...) {
		if n.state == settled {
			continue
		}
		if !n.cannotStart() {
			n.fault = g.fault
		}
		l.settle(time.Now(), n, n.withoutRunning())
	}
}

// memberSettled records that a member settled before its gang has started, which makes the gang
// fail. in is its previous state.
func (l *loop) memberSettled(n *node, in state) {
	g := n.env.Gang
	if g.started {
		return
	}
	if g.fault == nil {
		g.fault = n
	}
	if in == waiting {
		g.pending--
	}
	if g.pending == 0 {
		l.failGang(g)
	}
}

// startAll starts n and its gang.
func (l *loop) startAll(n *node) {
	g := n.env.Gang
	if g == nil {
		l.start(n)
		return
	}
	g.started = true
	for _, m := range g.nodes {
		if m.state == ready {
			l.start(m)
		}
	}
}

// conclude settles a step whose body has ended, once the steps it reads have settled.
func (l *loop) conclude(now time.Time, n *node, out Outcome) {
	if l.formGroup(n, out) {
		return
	}
	n.failIfMissed(&out)
	s := n.ties.streams
	if s == nil {
		l.settle(now, n, out)
		return
	}
	if s.writers > 0 {
		kept := out // a copy, so that only this outcome escapes to the heap
		s.outcome = &kept
		l.set(n, ended, nil)
		return
	}
	if out.Err == nil && s.broken != nil {
		n.fault = s.broken
		out.Result, out.Err = event.Skipped, s.broken.err
	}
	l.settle(now, n, out)
	for _, r := range slices.Concat(s.readers, s.senders) {
		s := r.ties.streams
		if s.writers--; n.err != nil && s.broken == nil {
			s.broken = n
		}
		if s.writers == 0 && s.outcome != nil {
			l.conclude(now, r, *s.outcome)
		}
	}
}
