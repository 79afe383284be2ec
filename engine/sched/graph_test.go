package sched_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/sched"
)

// TestRandomGraphs runs graphs of services, service groups, calls, pools, weights and failures,
// which are cancelled at random times. Each must end (synctest reports a deadlock), and an oracle
// that knows only the workflow checks every moment of every body.
func TestRandomGraphs(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 15))
		g := randomGraph(rng)
		options := sched.Options{Limit: rng.IntN(5), SoftLimit: 2, Failfast: rng.IntN(4) == 0, Services: true, Pools: g.pools}
		o := &oracle{g: g, limit: options.Limit, live: map[event.StepID]*body{}, done: map[string]bool{}, gone: map[string]time.Time{}}
		o.problem = func(format string, args ...any) {
			t.Errorf("seed %d: %s\n%s\nlimit %d, failfast %v, roots %q", seed, fmt.Sprintf(format, args...), g.lines, options.Limit, options.Failfast, g.roots)
		}
		options.Emit = o.event
		// Every body ends on its own, except those of services needed by the command line.
		const never = 24 * time.Hour
		after := time.Duration(rng.IntN(40)) * time.Second / 2
		if rng.IntN(2) == 0 {
			after = never
		}
		r := runWith(t, g.lines, options, how{watch: o.watch, during: func(cancel context.CancelCauseFunc) {
			time.AfterFunc(after, func() { cancel(errors.New("enough")) })
		}}, g.roots...)
		for id, name := range o.started {
			o.problem("%s (%d) has not settled", name, id)
		}
		if len(o.live) > 0 {
			o.problem("%d bodies have not ended", len(o.live))
		}
		// The end takes at most the sum of all grace periods.
		if r.took > after+time.Minute {
			o.problem("it took %v, cancelled after %v", r.took, after)
		}
		if r.took >= never && !slices.ContainsFunc(g.roots, g.serves) {
			o.problem("it did not end by itself")
		}
	}
}

// graph is a workflow as lines, and the facts that the oracle needs.
type graph struct {
	lines string
	roots []string
	tasks map[string]*task
	pools map[string]int
	late  bool // a call may time out, so that the caller does not wait for what it lent
}

type task struct {
	service bool
	group   bool // service group: it has no commands
	weight  int
	pool    string
	take    int
	needs   map[string]string // names to conditions
}

// serves reports whether a task is a service or a service group.
func (g *graph) serves(name string) bool {
	t := g.tasks[name]
	if t.service || !t.group {
		return t.service
	}
	for need := range t.needs {
		if g.serves(need) {
			return true
		}
	}
	return false
}

func randomGraph(rng *rand.Rand) *graph {
	g := &graph{tasks: map[string]*task{}, pools: map[string]int{"m": 1, "p": 3}}
	var text strings.Builder
	n := 3 + rng.IntN(10)
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		t := &task{weight: 1, needs: map[string]string{}}
		g.tasks[name] = t
		decorated := name
		var cmds []string
		pick := func(list ...string) string { return list[rng.IntN(len(list))] }
		call := func() {
			if i > 0 {
				cmds = append(cmds, fmt.Sprintf("call t%d", rng.IntN(i)))
			}
		}
		sleep := func() { cmds = append(cmds, fmt.Sprintf("sleep %ds", rng.IntN(4))) }
		switch kind := rng.IntN(10); {
		case kind < 3:
			t.service = true
			decorated = "~" + decorated
			sleep()
			if rng.IntN(8) == 0 {
				call()
			}
			switch rng.IntN(10) {
			case 0:
				cmds = append(cmds, "fail")
			case 1:
				cmds = append(cmds, "serve", "sleep 4s", "fail")
			case 2:
				cmds = append(cmds, "serve", "sleep 4s")
			default:
				cmds = append(cmds, fmt.Sprintf("up %ds", rng.IntN(3)))
			}
		case kind < 5 && i > 0:
			t.group = true
		default:
			if rng.IntN(3) == 0 {
				decorated = "1" + decorated
			}
			if rng.IntN(4) == 0 {
				cmds = append(cmds, "defer 2s")
			}
			for range 1 + rng.IntN(3) {
				switch rng.IntN(8) {
				case 0:
					cmds = append(cmds, "fail")
				case 1, 2:
					call()
				case 3:
					if call(); i > 0 {
						g.late = true
						cmds[len(cmds)-1] += pick(" 1s", " 3s")
					}
				default:
					sleep()
				}
			}
		}
		if rng.IntN(6) == 0 {
			decorated = "!" + decorated
		}
		if rng.IntN(4) == 0 {
			t.weight = 1 + rng.IntN(4)
			decorated += fmt.Sprintf("*%d", t.weight)
		}
		if rng.IntN(4) == 0 {
			t.pool = pick("m", "p")
			t.take = 1 + rng.IntN(g.pools[t.pool])
			decorated += "%" + strings.Repeat(t.pool, t.take)
		}
		var deps []string
		for j := range i {
			need := fmt.Sprintf("t%d", j)
			switch {
			case rng.IntN(4) == 0:
				when := pick("", "", "", "", "@started", "@ready", "@ended", "@2s")
				t.needs[need] = when
				deps = append(deps, need+when)
			case rng.IntN(10) == 0:
				deps = append(deps, ">"+need)
			}
		}
		if t.group && len(t.needs) == 0 {
			t.needs["t0"] = ""
			deps = append(deps, "t0")
		}
		fmt.Fprintf(&text, "%s: %s | %s\n", decorated, strings.Join(deps, " "), strings.Join(cmds, "; "))
	}
	g.lines = text.String()
	g.roots = []string{fmt.Sprintf("t%d", n-1)}
	if other := fmt.Sprintf("t%d", rng.IntN(n)); rng.IntN(2) == 0 && other != g.roots[0] {
		g.roots = append(g.roots, other)
	}
	return g
}

// oracle checks a run. Moments arrive from the goroutines of bodies; a moment that must precede
// another is reported before the other happens.
type oracle struct {
	g       *graph
	limit   int
	problem func(string, ...any)

	mu      sync.Mutex // guards the fields below
	live    map[event.StepID]*body
	done    map[string]bool         // tasks with a body that succeeded
	gone    map[string]time.Time    // when a ready service ended, which the loop may not know yet
	started map[event.StepID]string // steps that have not settled
}

// body is a running body.
type body struct {
	name   string
	up     bool
	since  time.Time // when it became ready
	told   bool
	paused bool
	called map[string]bool // services it has called
}

// event checks that each started step settles once.
func (o *oracle) event(ev event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch ev := ev.(type) {
	case *event.StepStarted:
		if o.started == nil {
			o.started = map[event.StepID]string{}
		}
		o.started[ev.Step] = ev.Name
	case *event.StepSettled:
		delete(o.started, ev.Step)
	}
}

func (o *oracle) watch(m moment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.live[m.id]
	switch m.what {
	case "begun":
		o.begun(m)
	case "calls":
		b.paused = true
	case "called":
		b.paused = false
		if m.ok {
			b.called[m.arg] = true
		}
	case "up":
		b.up, b.since = true, time.Now()
	case "told":
		b.told = true
		o.told(b)
	case "ended":
		delete(o.live, m.id)
		if b.up {
			o.gone[b.name] = time.Now()
		}
		o.done[b.name] = o.done[b.name] || m.ok
	}
	o.limits()
}

// begun checks that a body begins only after its needs, and that a service begins once.
func (o *oracle) begun(m moment) {
	name := m.step.Name
	if o.g.tasks[name].service {
		for _, other := range o.live {
			if other.name == name {
				o.problem("%s begins while it is up", name)
			}
		}
	}
	for need, when := range o.g.tasks[name].needs {
		if !o.met(need, when) {
			o.problem("%s begins, but %s%s is not there", name, need, when)
		}
	}
	o.live[m.id] = &body{name: name, called: map[string]bool{}}
}

// met reports whether a need may have met its condition.
func (o *oracle) met(need, when string) bool {
	if when == "@ended" && !o.g.serves(need) {
		return true // or it was skipped
	}
	if when == "@started" || o.done[need] || o.gone[need].Equal(time.Now()) {
		return true
	}
	for _, b := range o.live {
		if b.name == need && o.g.tasks[need].service && b.up && !b.told {
			return true
		}
	}
	return when == "@ended" // it failed
}

// told checks that a service is told to end only when no running body needs it. One that was told
// before it was ready may be needed by steps that need only its start.
func (o *oracle) told(s *body) {
	for _, b := range o.live {
		switch {
		case b == s:
		case b.called[s.name], o.needs(b.name, s.name, s.since.Equal(time.Now())):
			o.problem("%s is told to end, but %s needs it", s.name, b.name)
		}
	}
}

// needs reports whether a task needs a service, directly or through service groups; with ready,
// whether it must be ready. A need for the start of a group is no use of its services.
func (o *oracle) needs(name, service string, ready bool) bool {
	for need, when := range o.g.tasks[name].needs {
		if when == "@started" && (ready || o.g.tasks[need].group) {
			continue
		}
		if need == service || o.g.tasks[need].group && o.needs(need, service, ready) {
			return true
		}
	}
	return false
}

// limits checks that slots and pools are not exceeded.
func (o *oracle) limits() {
	slots, pools := 0, map[string]int{}
	for _, b := range o.live {
		if b.paused {
			continue
		}
		t := o.g.tasks[b.name]
		pools[t.pool] += t.take
		if !b.up {
			slots += min(t.weight, max(o.limit, 1))
		}
	}
	if o.limit > 0 && slots > o.limit {
		o.problem("%d slots are taken, of %d", slots, o.limit)
	}
	for name, taken := range pools {
		if name != "" && taken > o.g.pools[name] && !o.g.late {
			o.problem("%d of pool %s are taken", taken, name)
		}
	}
}
