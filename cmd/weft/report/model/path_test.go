package model

import (
	"math/rand"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// fold folds events.
func fold(events []event.Event) *Run {
	var f Folder
	for _, ev := range events {
		f.Handle(ev)
	}
	return f.Run()
}

// checkPath checks the invariants of the critical path.
func checkPath(t *testing.T, r *Run) []Piece {
	t.Helper()
	all := r.CriticalPath()
	at, sum := r.Started, time.Duration(0)
	for _, p := range all {
		if !p.From.Equal(at) || !p.To.After(p.From) {
			t.Fatalf("a piece from %s to %s follows one that ends at %s", p.From, p.To, at)
		}
		at, sum = p.To, sum+p.Duration()
	}
	if !at.Equal(r.end()) && len(all) > 0 || sum != r.end().Sub(r.Started) {
		t.Fatalf("the pieces end at %s and are %s, the run ends at %s and is %s", at, sum, r.end(), r.end().Sub(r.Started))
	}
	return all
}

// TestCriticalPath: for generated runs the path matches the states of the steps, tick by tick.
func TestCriticalPath(t *testing.T) {
	waits, calls := 0, 0
	for seed := range int64(2000) {
		s := simulate(seed)
		r := fold(s.events)
		var got []held
		for _, p := range checkPath(t, r) {
			h := held{wait: p.Wait}
			if p.Step != nil {
				h.step = p.Step.ID
			}
			for range p.Duration() / time.Millisecond {
				got = append(got, h)
			}
		}
		for i, want := range s.path() {
			if got[i] != want {
				t.Fatalf("seed %d, tick %d of %d: %v, want %v\n%v\n%v", seed, i, s.now, got[i], want, got, s.path())
			}
			if want.wait {
				waits++
			}
			if want.step > 0 && s.nodes[want.step-1].depth > 0 {
				calls++
			}
		}
	}
	if waits == 0 || calls == 0 {
		t.Errorf("%d ticks of waiting, %d in called steps: nothing was tested", waits, calls)
	}
}

// TestSlots: in generated runs slices of a lane do not overlap, there are at most as many lanes as
// slots, and a step has a slice for each interval in which it ran.
func TestSlots(t *testing.T) {
	for seed := range int64(300) {
		s := simulate(seed)
		slots, services := fold(s.events).Slots()
		if len(services) > 0 {
			t.Fatalf("seed %d: %d services", seed, len(services))
		}
		free := map[int]time.Time{}
		ran := make(map[event.StepID]int)
		for _, sl := range slots {
			if sl.From.Before(free[sl.Lane]) || sl.To.Before(sl.From) {
				t.Fatalf("seed %d: a slice from %s to %s overlaps one to %s", seed, sl.From, sl.To, free[sl.Lane])
			}
			for lower := range sl.Lane {
				if !free[lower].After(sl.From) {
					t.Fatalf("seed %d: lane %d is free, and lane %d is taken", seed, lower, sl.Lane)
				}
			}
			free[sl.Lane] = sl.To
			ran[sl.Step.ID] += int(sl.To.Sub(sl.From) / time.Millisecond)
		}
		for _, n := range s.nodes {
			want := 0
			for _, state := range n.history {
				if state == 'R' {
					want++
				}
			}
			if ran[n.id] != want {
				t.Fatalf("seed %d: step %d ran for %d ticks, want %d", seed, n.id, ran[n.id], want)
			}
		}
	}
}

// TestContradictions: for any events in any order, the path is finite and its durations add up.
func TestContradictions(t *testing.T) {
	for seed := range int64(300) {
		s := simulate(seed)
		rng := rand.New(rand.NewSource(seed))
		body := s.events[1:]
		rng.Shuffle(len(body), func(i, j int) { body[i], body[j] = body[j], body[i] })
		for _, ev := range body {
			if p, ok := ev.(*event.Planned); ok && rng.Intn(2) == 0 {
				for i := range p.Graph {
					p.Graph[i].Needs = append(p.Graph[i].Needs, event.Need{Step: event.StepID(rng.Intn(20)), Until: event.UntilReady})
				}
			}
		}
		r := fold(s.events[:1+rng.Intn(len(body))])
		checkPath(t, r)
		slots, _ := r.Slots()
		for _, sl := range slots {
			if sl.To.Before(sl.From) {
				t.Fatalf("seed %d: from %s to %s", seed, sl.From, sl.To)
			}
		}
	}
}
