package sched

import (
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Place is where a step is performed.
type Place uint8

// The values of Place.
const (
	Here      Place = iota // on this machine: it takes slots
	Elsewhere              // it takes a place there, and slots only while it is held
)

// goesAway reports whether n, which is ready, is performed elsewhere, and makes it take no slots then.
// Steps of a gang, and those for which a running step waits, never are.
func (l *loop) goesAway(n *node) bool {
	if n.own > 0 {
		return true
	}
	if l.r.o.Place == nil || n.weight == 0 || n.env.Gang != nil || n.service != nil || l.r.o.Place(n.step) == Here {
		return false
	}
	n.own, n.weight = n.weight, 0
	return true
}

// admitAway gives the next step a place elsewhere, and reports whether it did.
func (l *loop) admitAway() bool {
	if l.awayTaken >= max(1, l.r.o.Places) {
		return false
	}
	n := l.away.next()
	if n == nil {
		return false
	}
	l.away.remove(n)
	if l.acquire(n) {
		l.startAll(n)
	}
	return true
}

// countAway counts a step elsewhere whose state changes.
func (l *loop) countAway(from, to state) {
	switch there := from == running || from == suspended; {
	case from == ready && to == running:
		l.awayTaken++
	case there && to >= ended:
		l.awayTaken--
	}
}

// holdHere makes a step elsewhere wait for the slots that it would take here.
func (l *loop) holdHere(n *node) {
	if n.state != running {
		return
	}
	l.set(n, suspended, &event.Suspended{Time: time.Now(), Step: n.env.ID})
	n.weight = n.own
}

// letGo takes the slots of a step elsewhere back.
func (l *loop) letGo(n *node) {
	l.slots.free(l.held(n))
	n.weight = 0
}

// Hold calls f while the step holds slots, although it is performed elsewhere: f does something on this
// machine. Otherwise it only calls f.
func (e *Env) Hold(f func()) {
	if e.node.own == 0 {
		f()
		return
	}
	r := e.node.batch.run
	r.mail <- message{holdHere: e.node}
	b := &batch{run: r, caller: e.node, reply: make(chan error, 1)}
	r.mail <- message{resume: b}
	<-b.reply
	f()
	r.mail <- message{letGo: e.node}
}
