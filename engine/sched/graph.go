package sched

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// planned returns the event for b, whose nodes exist.
func (l *loop) planned(b *batch) *event.Planned {
	ev := &event.Planned{Time: time.Now(), Steps: len(b.plan.Steps), Edges: b.plan.Edges(), Parent: b.caller.id()}
	if !l.r.o.Graph {
		b.keys = nil
		return ev
	}
	b.labels = l.labels(b)
	b.keys = nil
	ev.Graph = make([]event.PlannedStep, len(b.nodes))
	inParts(len(b.nodes), func(from, to int) {
		for i := from; i < to; i++ {
			ev.Graph[i] = b.planned(i)
		}
	})
	return ev
}

// planned describes step i of b for events.
func (b *batch) planned(i int) event.PlannedStep {
	n := b.nodes[i]
	s := n.step
	p := event.PlannedStep{Step: n.env.ID, Name: s.Name, Label: s.Label, Key: n.key(), Pos: s.TaskPos(), Alone: n.env.Stdin, Service: n.service != nil}
	if needs := b.plan.Needs[i]; len(needs) > 0 {
		p.Needs = make([]event.Need, len(needs))
		for k, need := range needs {
			on := b.nodes[need.Step]
			p.Needs[k] = event.Need{Step: on.env.ID, Until: until(need.When, on.service != nil)}
		}
	}
	return p
}

// keysOf returns the keys of the steps of the plan of b.
func (l *loop) keysOf(b *batch) []uint64 {
	if b.keys == nil {
		b.keys = l.r.o.Keys(b.plan.Steps)
	}
	return b.keys
}

// labels returns the unique keys of the steps that b created, as events have them, and "" for
// other steps: 16 hexadecimal digits, and "#2" and so on for repeated keys.
func (l *loop) labels(b *batch) []string {
	keys, labels := l.keysOf(b), make([]string, len(b.nodes))
	if l.keys == nil {
		l.keys = make(map[uint64]int, len(keys))
	}
	digits := make([]byte, 0, 16*len(keys))
	for _, key := range keys {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], key)
		digits = hex.AppendEncode(digits, b[:])
	}
	all := string(digits)
	for i, n := range b.nodes {
		if n.batch != b {
			continue
		}
		different := len(l.keys)
		l.keys[keys[i]]++
		labels[i] = all[16*i : 16*i+16]
		if len(l.keys) == different {
			labels[i] += "#" + strconv.Itoa(l.keys[keys[i]])
		}
	}
	return labels
}

// key returns the key of n in events; "" if keys are not wanted.
func (n *node) key() string {
	if n.batch.labels == nil {
		return ""
	}
	return n.batch.labels[n.index]
}

// until converts a condition for events. A service that must have ended need only be ready.
func until(when plan.When, service bool) event.Until {
	switch {
	case when == plan.Together:
		return event.UntilTogether
	case when == plan.Started:
		return event.UntilStarted
	case when == plan.Ready, service:
		return event.UntilReady
	case when == plan.Succeeded:
		return event.UntilSucceeded
	}
	return event.UntilEnded
}
