package engine

import (
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// TestDurations: with several slots the longest step starts first.
func TestDurations(t *testing.T) {
	for limit, want := range map[int]string{1: "a", 2: "c"} {
		e, l := newEngine(t, "tasks:\n  all: {deps: [a, b, c]}\n  a: 'true'\n  b: 'true'\n  c: 'true'\n")
		p, err := e.Plan(t.Context(), []plan.Call{{Name: "all"}})
		if err != nil {
			t.Fatal(err)
		}
		known := map[uint64]time.Duration{}
		for _, s := range p.Steps {
			known[e.keyOf(s)] = map[string]time.Duration{"a": time.Second, "c": time.Minute}[s.Name]
		}
		e.o.Concurrency = limit
		e.o.Durations = func(key uint64) time.Duration { return known[key] }
		if err := e.Run(t.Context(), []plan.Call{{Name: "all"}}); err != nil {
			t.Fatal(err)
		}
		first := ""
		for _, ev := range l.events {
			if started, ok := ev.(*event.StepStarted); ok && first == "" {
				first = started.Name
			}
		}
		if first != want {
			t.Errorf("with %d slots %s started first, want %s", limit, first, want)
		}
	}
}
