package sched

import (
	"fmt"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Gang are steps that are started together, because some read what others write
// while they run: started one by one, one could wait for another that waits for its
// slot. It is not changed once one of them executes.
//
// A gang is ready when all that its members need is there. It takes the slots of all
// its members at once; one that is larger than the limit runs alone. Its members
// settle in the order of the streams: who is read before who reads it, so that a
// reader fails with what it has read.
type Gang struct {
	// Readers are, for each step that is read, those that read it.
	Readers map[*plan.Step][]*plan.Step

	nodes   []*node
	weight  [settled + 1]int32 // of the members in each state
	pending int                // members that are not ready yet
	fault   *node              // a member that settled before they started
	started bool
}

// streams are what connects a step with others of its gang.
type streams struct {
	readers []*node        // read this one
	writers int            // those it reads that have not settled
	broken  *node          // one of those that failed
	outcome *Outcome       // of a step that has ended, and waits for those it reads
	timers  []*clock.Timer // of readers that do not wait for ever
}

// StartedError is a stream of a step that was started before its reader was planned.
type StartedError struct {
	Reader, Writer *plan.Step
}

func (e *StartedError) Error() string {
	return fmt.Sprintf("task %q reads what task %q writes while it runs, but that was started before; read the finished output instead: stdin: {output: %s}",
		e.Reader.Label, e.Writer.Label, e.Writer.Name)
}

// connect makes reader read what writer writes.
func connect(reader, writer *node) {
	if writer.batch != reader.batch {
		reader.verdict = &Outcome{Result: event.Failed, Err: &StartedError{Reader: reader.step, Writer: writer.step}}
		return
	}
	for _, n := range [...]*node{reader, writer} {
		if n.streams == nil {
			n.streams = &streams{}
		}
	}
	writer.streams.readers = append(writer.streams.readers, reader)
	reader.streams.writers++
}

// limitStream ends the writing for a reader that does not wait for ever.
func (l *loop) limitStream(reader, writer *node, limit time.Duration) {
	if t := l.limit(reader, writer, limit); t != nil && writer.streams != nil {
		writer.streams.timers = append(writer.streams.timers, t)
	}
}

// gather makes the gangs of a plan.
func (b *batch) gather() {
	for _, members := range b.plan.Gangs {
		g := &Gang{Readers: map[*plan.Step][]*plan.Step{}}
		for _, i := range members {
			n := b.nodes[i]
			if n.batch != b {
				continue
			}
			n.env.Gang = g
			g.nodes = append(g.nodes, n)
			if n.streams == nil {
				continue // what it reads was started before
			}
			for _, r := range n.streams.readers {
				g.Readers[n.step] = append(g.Readers[n.step], r.step)
			}
		}
		g.pending = len(g.nodes)
		b.individual = true
	}
	if b.drop != nil {
		b.weighNothing()
	}
	for _, members := range b.plan.Gangs {
		for _, i := range members {
			if n := b.nodes[i]; n.batch == b {
				n.env.Gang.weight[waiting] += n.weight
			}
		}
	}
}

// weighNothing lets the roots of b, and what is started together with them, start
// without waiting for slots: somebody who runs waits for them.
func (b *batch) weighNothing() {
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

// memberReady notes that a member is ready, and readies its gang when all are.
func (l *loop) memberReady(n *node) {
	g := n.env.Gang
	if g.fault == nil && n.cannotStart() {
		g.fault = n
	}
	if g.pending--; g.pending > 0 {
		return
	}
	if g.fault != nil {
		l.giveUp(g)
		return
	}
	l.enqueue(g.nodes[0])
}

// giveUp settles the members of a gang that cannot start, by the one that is at
// fault.
func (l *loop) giveUp(g *Gang) {
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

// dropOut notes that a member settled, in a state, before its gang has started: that
// never will.
func (l *loop) dropOut(n *node, in state) {
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
		l.giveUp(g)
	}
}

// startAll starts n with its gang.
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

// conclude settles a step whose body has ended, when those it reads have settled.
func (l *loop) conclude(now time.Time, n *node, out Outcome) {
	s := n.streams
	if s == nil {
		l.settle(now, n, out)
		return
	}
	if s.writers > 0 {
		kept := out // so that no other outcome goes to the heap
		s.outcome = &kept
		l.set(n, ended, nil)
		return
	}
	if out.Err == nil && s.broken != nil {
		n.fault = s.broken
		out.Result, out.Err = event.Skipped, s.broken.err
	}
	l.settle(now, n, out)
	for _, r := range s.readers {
		s := r.streams
		if s.writers--; n.err != nil && s.broken == nil {
			s.broken = n
		}
		if s.writers == 0 && s.outcome != nil {
			l.conclude(now, r, *s.outcome)
		}
	}
}
