package sched

import (
	"fmt"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Gangs. Steps that streams connect are started together, or one would wait for
// another that waits for its slot. A gang is ready when all that its members need
// has ended. It takes as many slots as it has members, all at once; one that is
// larger than the limit runs alone. Its members settle in the order of the streams:
// who is read before who reads it, so that a reader fails with what it has read.

// take and free count the slot of a step.
func (l *loop) take(n *node) {
	if !n.slotless {
		l.active++
	}
}

func (l *loop) free(n *node) {
	if !n.slotless {
		l.active--
	}
}

// admitsAll reports whether n more steps may run beside active ones. Over a soft
// limit one that is admitted brings the others with it.
func (a *admission) admitsAll(active, n int) bool {
	if !a.hard {
		return a.admits(active)
	}
	return active+min(n, a.limit) <= a.limit
}

// streams are what connects a step with others of its gang.
type streams struct {
	readers []*node  // read this one
	writers int      // those it reads that have not settled
	broken  *node    // one of those that failed
	late    error    // one of those was started before
	over    *Outcome // it has ended, and waits for those it reads
}

// streaming returns the streams of n, to be filled: its gang is made as its streams
// are found, and joined with those of others when the plan has been looked through.
func (b *batch) streaming(n *node) *streams {
	if b.streams == nil {
		b.streams = map[*node]*streams{}
	}
	s := b.streams[n]
	if s == nil {
		s = &streams{}
		b.streams[n] = s
	}
	return s
}

// streamsOf returns the streams of a member of a gang, or nil.
func streamsOf(n *node) *streams {
	if n.env.Gang == nil {
		return nil
	}
	return n.env.Gang.streams[n]
}

// EndedError is a stream of a step that had begun before its reader was planned.
type EndedError struct {
	Reader, Writer *plan.Step
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("task %q reads what task %q writes while it runs, but that was started before; read the finished output instead: stdin: {output: %s}",
		e.Reader.Label, e.Writer.Label, e.Writer.Name)
}

// connect makes reader read what writer writes.
func (l *loop) connect(reader, writer *node) {
	if writer.batch != reader.batch {
		reader.batch.streaming(reader).late = &EndedError{Reader: reader.step, Writer: writer.step}
		return
	}
	w := reader.batch.streaming(writer)
	w.readers = append(w.readers, reader)
	reader.batch.streaming(reader).writers++
}

// gather makes the gangs of a plan.
func (l *loop) gather(b *batch) {
	for _, members := range b.plan.Gangs {
		g := &Gang{Readers: map[*plan.Step][]*plan.Step{}, streams: map[*node]*streams{}}
		for _, i := range members {
			n := b.nodes[i]
			if n.batch != b {
				continue
			}
			n.env.Gang = g
			g.nodes = append(g.nodes, n)
			g.streams[n] = b.streaming(n)
			for _, r := range g.streams[n].readers {
				g.Readers[n.step] = append(g.Readers[n.step], r.step)
			}
		}
		g.pending = len(g.nodes)
		b.individual = true
	}
	if !b.connected {
		return
	}
	for _, i := range b.plan.Roots {
		n := b.nodes[i]
		if n.batch != b {
			continue
		}
		n.slotless = true
		if n.env.Gang != nil {
			for _, m := range n.env.Gang.nodes {
				m.slotless = true
			}
		}
	}
}

// gathered notes that a member is ready, and readies the gang when all are.
func (l *loop) gathered(n *node) {
	g := n.env.Gang
	if g.fault == nil && (streamsOf(n).late != nil || n.hopeless()) {
		g.fault = n
	}
	if g.pending--; g.pending > 0 {
		return
	}
	first := g.nodes[0]
	switch {
	case g.fault != nil:
		l.giveUp(g)
	case first.slotless:
		l.startAll(first)
	default:
		l.ready.push(first)
	}
}

// giveUp settles the members of a gang that cannot start, by the one that is at
// fault.
func (l *loop) giveUp(g *Gang) {
	g.started = true
	l.giveUpOne(g.fault)
	for _, n := range g.nodes {
		if n.state == settled {
			continue
		}
		if !n.hopeless() && streamsOf(n).late == nil {
			n.fault = g.fault
		}
		l.giveUpOne(n)
	}
}

func (l *loop) giveUpOne(n *node) {
	switch {
	case n.state == settled:
	case streamsOf(n).late != nil:
		l.settle(n, Outcome{Result: event.Failed, Err: streamsOf(n).late})
	default:
		l.settle(n, l.withoutRunning(n))
	}
}

// left notes that a member settled, in a state, before the gang has started: it
// never will.
func (l *loop) left(n *node, was state) {
	g := n.env.Gang
	if g.started {
		return
	}
	if g.fault == nil {
		g.fault = n
	}
	if was == waiting {
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

// ended settles a step that has ended, when those it reads have settled.
func (l *loop) ended(now time.Time, n *node, out Outcome) {
	s := streamsOf(n)
	if s == nil {
		l.settleAt(now, n, out)
		return
	}
	if s.writers > 0 {
		s.over = &out
		return
	}
	if out.Err == nil && s.broken != nil {
		n.fault = s.broken
		out.Result, out.Err = event.Skipped, s.broken.err
	}
	l.settleAt(now, n, out)
	for _, r := range s.readers {
		s := streamsOf(r)
		if s.writers--; n.err != nil && s.broken == nil {
			s.broken = n
		}
		if s.writers > 0 || s.over == nil {
			continue
		}
		over := *s.over
		l.ended(now, r, over)
	}
}
