package engine

import (
	"maps"
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/event"
)

// progress is what a run has done so far and what it is doing, as its events
// tell. It is safe for concurrent use.
type progress struct {
	mu      sync.Mutex // guards the fields below
	running map[event.StepID]string
	counts  [event.Cancelled + 1]int
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
	case *event.StepSettled:
		p.mu.Lock()
		delete(p.running, ev.Step)
		p.counts[ev.Outcome]++
		p.mu.Unlock()
	}
}

// outcomes returns how many steps ended how.
func (p *progress) outcomes() [event.Cancelled + 1]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// steps returns the steps that run, in the order of their start, and their names as shown.
func (p *progress) steps() (ids []event.StepID, names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids = slices.Sorted(maps.Keys(p.running))
	for _, id := range ids {
		names = append(names, p.running[id])
	}
	return ids, names
}
