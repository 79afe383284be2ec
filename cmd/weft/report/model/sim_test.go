package model

import (
	"math/rand"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// sim simulates a run in ticks of a millisecond, with random steps that need and call others and
// few slots. It records the state of every step in every tick, and the corresponding events.
type sim struct {
	rng    *rand.Rand
	now    int
	slots  int // number of free slots
	nodes  []*simNode
	events []event.Event
	queue  []*simNode // ready or resuming, in order of arrival
}

type simNode struct {
	id      event.StepID
	needs   []*simNode
	caller  *simNode
	body    []any // int: ticks of work; []*simNode: a call
	depth   int
	state   byte   // 'w'aiting, 'q'ueued, 'R'unning, 'S'uspended, 'r'esuming, 'd'one; 0: not planned
	history []byte // state during each tick
	awaits  []*simNode
	calls   map[int][]*simNode // by the tick of the suspension
	since   int                // start of the last suspension
	settled int
	started int
	planned int
}

var simStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (s *sim) time() time.Time { return simStart.Add(time.Duration(s.now) * time.Millisecond) }

func (s *sim) emit(ev event.Event) { s.events = append(s.events, ev) }

// plan creates the steps of a call.
func (s *sim) plan(caller *simNode, depth int) []*simNode {
	var all []*simNode
	ev := &event.Planned{Time: s.time()}
	if caller != nil {
		ev.Parent = caller.id
	}
	for range 1 + s.rng.Intn(5) {
		n := &simNode{id: event.StepID(len(s.nodes) + 1), caller: caller, depth: depth, state: 'w', planned: s.now, calls: map[int][]*simNode{}, history: make([]byte, s.now)}
		for _, other := range all {
			if s.rng.Intn(3) == 0 {
				n.needs = append(n.needs, other)
			}
		}
		for range s.rng.Intn(4) {
			if depth < 3 && s.rng.Intn(3) == 0 {
				n.body = append(n.body, []*simNode(nil))
			} else {
				n.body = append(n.body, s.rng.Intn(4))
			}
		}
		all, s.nodes = append(all, n), append(s.nodes, n)
		p := event.PlannedStep{Step: n.id, Name: "t", Label: "t"}
		for _, need := range n.needs {
			p.Needs = append(p.Needs, event.Need{Step: need.id, Until: event.UntilSucceeded})
		}
		ev.Graph = append(ev.Graph, p)
	}
	ev.Steps = len(all)
	s.emit(ev)
	return all
}

func done(all []*simNode) bool {
	for _, n := range all {
		if n.state != 'd' {
			return false
		}
	}
	return true
}

// simulate returns a completed run.
func simulate(seed int64) *sim {
	s := &sim{rng: rand.New(rand.NewSource(seed))}
	s.slots = 1 + s.rng.Intn(4)
	s.emit(&event.RunStarted{Time: s.time(), Run: "r", Tasks: []string{"t"}})
	s.now = s.rng.Intn(3)
	roots := s.plan(nil, 0)
	for ; !done(roots); s.tick() {
		for s.settleDown() {
		}
	}
	s.now += s.rng.Intn(3)
	s.emit(&event.RunFinished{Time: s.time()})
	return s
}

// tick advances the time by one tick.
func (s *sim) tick() {
	for _, n := range s.nodes {
		if n.state == 'R' {
			n.body[0] = n.body[0].(int) - 1
		}
		n.history = append(n.history, n.state)
	}
	if !done(s.nodes) {
		s.now++
	}
}

// settleDown performs one possible state change, and reports whether there was one.
func (s *sim) settleDown() bool {
	for _, n := range s.nodes {
		switch {
		case n.state == 'w' && done(n.needs):
			n.state, s.queue = 'q', append(s.queue, n)
			return true
		case n.state == 'S' && done(n.awaits):
			n.state, s.queue = 'r', append(s.queue, n)
			return true
		case n.state == 'R' && (len(n.body) == 0 || n.body[0] == 0):
			n.body = n.body[min(1, len(n.body)):]
			if len(n.body) == 0 {
				n.state, n.settled = 'd', s.now
				s.slots++
				s.emit(&event.StepSettled{Time: s.time(), Step: n.id, Name: "t", Task: "t", Outcome: event.Succeeded})
			}
			return true
		case n.state == 'R':
			if _, ok := n.body[0].([]*simNode); ok {
				call := s.plan(n, n.depth+1)
				n.body[0] = 0
				n.awaits, n.calls[s.now], n.since, n.state = call, append(n.calls[s.now], call...), s.now, 'S'
				s.slots++
				s.emit(&event.Suspended{Time: s.time(), Step: n.id})
				return true
			}
		}
	}
	if len(s.queue) == 0 || s.slots == 0 {
		return false
	}
	n := s.queue[0]
	s.queue = s.queue[1:]
	s.slots--
	if n.state == 'r' {
		s.emit(&event.Resumed{Time: s.time(), Step: n.id})
	} else {
		n.started = s.now
		s.emit(&event.StepStarted{Time: s.time(), Step: n.id, Name: "t", Task: "t"})
	}
	n.state = 'R'
	return true
}

// held is the cause of delay in one tick.
type held struct {
	step event.StepID // 0: weft itself
	wait bool
}

// path returns the critical path in ticks, from the recorded states.
func (s *sim) path() []held {
	all := make([]held, s.now)
	var cur *simNode
	for _, n := range s.nodes {
		if cur == nil || n.settled > cur.settled || n.settled == cur.settled && n.started > cur.started {
			cur = n
		}
	}
	for t := cur.settled - 1; t >= 0; t-- {
		for {
			var next *simNode
			state := byte(0)
			if cur != nil && t < len(cur.history) && t >= cur.planned {
				state = cur.history[t]
			}
			switch state {
			case 'R':
				all[t] = held{cur.id, false}
			case 'q', 'r':
				all[t] = held{cur.id, true}
			case 'S':
				since := 0
				for at := range cur.calls {
					if at <= t && at >= since {
						since = at
					}
				}
				next = latest(cur.calls[since])
			case 'w':
				next = latest(cur.needs)
			case 'd':
				panic("a step that has ended is on the path")
			default:
				if cur != nil {
					next = cur.caller
				}
			}
			if next == nil {
				if state == 0 {
					cur = nil
				}
				break
			}
			cur = next
		}
	}
	return all
}

// latest returns the first of those that settled last.
func latest(all []*simNode) (last *simNode) {
	for _, n := range all {
		if last == nil || n.settled > last.settled {
			last = n
		}
	}
	return last
}
