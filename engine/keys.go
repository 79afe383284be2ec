package engine

import (
	"runtime"
	"sync"

	"github.com/weftrun/weft/engine/plan"
)

// keyer computes the history keys of the steps of plans. If a plan has many, it does while others
// are still being planned, which uses only one processor.
type keyer struct {
	e     *Engine
	ahead bool // other goroutines compute keys

	mu    sync.Mutex // guards the fields below
	steps []*plan.Step
	parts []*keyed
}

// keyed are the keys of steps, in the order in which they were planned.
type keyed struct {
	steps []*plan.Step
	keys  []uint64
	done  chan struct{} // closed when keys is complete
}

// keyedTogether is the number of steps whose keys one goroutine computes.
const keyedTogether = 256

// begin is called at the start of a run of e.
func (k *keyer) begin(e *Engine) {
	k.e = e
	k.ahead = (e.o.Wants.Graph || e.o.Durations != nil) && runtime.GOMAXPROCS(0) > 1
}

// planned adds a planned step. It may be called concurrently.
func (k *keyer) planned(s *plan.Step) {
	if !k.ahead {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.steps = append(k.steps, s); len(k.steps) < keyedTogether {
		return
	}
	p := &keyed{k.steps, make([]uint64, keyedTogether), make(chan struct{})}
	k.steps, k.parts = make([]*plan.Step, 0, keyedTogether), append(k.parts, p)
	go func() {
		defer close(p.done)
		if k.e.o.Durations != nil {
			k.e.o.Durations(0) // reads all of them, unless that was done
		}
		for i, s := range p.steps {
			p.keys[i] = k.e.keyOf(s)
		}
	}()
}

// of returns the keys of the steps of a plan.
func (k *keyer) of(steps []*plan.Step) []uint64 {
	keys := make([]uint64, 0, len(steps))
	for _, p := range k.end() {
		for i, s := range p.steps {
			if len(keys) < len(steps) && steps[len(keys)] == s {
				keys = append(keys, p.keys[i])
			}
		}
	}
	for _, s := range steps[len(keys):] {
		keys = append(keys, k.e.keyOf(s))
	}
	return keys
}

// end returns the keys computed so far, and forgets them.
func (k *keyer) end() []*keyed {
	k.mu.Lock()
	parts := k.parts
	k.steps, k.parts = nil, nil
	k.mu.Unlock()
	for _, p := range parts {
		<-p.done
	}
	return parts
}
