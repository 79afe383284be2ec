package engine

import (
	"maps"
	"sort"
	"sync"

	"github.com/weftrun/weft/engine/event"
)

// progress is the state of a run, updated by its events. It is safe for concurrent use.
type progress struct {
	mu        sync.Mutex // guards the fields below
	running   map[event.StepID]string
	unawaited map[event.StepID]unawaited // background commands; nil until there is one
	counts    [event.Cancelled + 1]int
}

func (p *progress) note(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		p.mu.Lock()
		if p.running == nil {
			p.running = map[event.StepID]string{}
		}
		p.running[ev.Step] = ev.Task
		p.mu.Unlock()
	case *event.CommandStarted:
		if ev.Background && ev.Attempt <= 1 {
			p.background(ev.Step, 1)
		}
	case *event.BackgroundEnded:
		p.background(ev.Step, -1)
	case *event.StepSettled:
		p.mu.Lock()
		delete(p.running, ev.Step)
		p.counts[ev.Outcome]++
		p.mu.Unlock()
	}
}

// unawaited counts the background commands of one task.
type unawaited struct {
	task     string
	commands int
}

// background adds more to the number of a step's background commands. A command that ends without
// having begun is not counted.
func (p *progress) background(step event.StepID, more int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, known := p.unawaited[step]
	if !known {
		u.task = p.running[step]
	}
	if u.commands += more; u.commands <= 0 {
		delete(p.unawaited, step)
		return
	}
	if p.unawaited == nil {
		p.unawaited = map[event.StepID]unawaited{}
	}
	p.unawaited[step] = u
}

// outcomes returns the number of steps by outcome.
func (p *progress) outcomes() [event.Cancelled + 1]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// steps returns the running steps, and those with running commands, in start order, with their
// display names.
func (p *progress) steps() (ids []event.StepID, names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(p.running)
	for id, u := range p.unawaited {
		all[id] = u.task
	}
	ids = startOrder(all)
	for _, id := range ids {
		names = append(names, all[id])
	}
	return ids, names
}

// startOrder returns the IDs of steps with names, in start order.
func startOrder(names map[event.StepID]string) []event.StepID {
	ids := make([]event.StepID, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}
