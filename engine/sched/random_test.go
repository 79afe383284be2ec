package sched_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/sched"
)

// TestRandomPlans runs plans of all kinds. Each must end (synctest reports a deadlock), every step
// settles, none starts before the conditions of its needs are met, and of steps that call nothing
// no more run than there are slots.
func TestRandomPlans(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		lines, needs := randomPlan(rng)
		limit := rng.IntN(5) // 0: a soft limit
		options := sched.Options{Limit: limit, SoftLimit: 2, Failfast: rng.IntN(4) == 0, Pools: map[string]int{"m": 1, "p": 3}}
		var during func(context.CancelCauseFunc)
		if after := time.Duration(rng.IntN(20)) * time.Second / 2; after < 5*time.Second {
			during = func(cancel context.CancelCauseFunc) {
				time.AfterFunc(after, func() { cancel(errors.New("enough")) })
			}
		}
		r := run(t, lines, options, during)
		for name, at := range r.began {
			if _, ok := r.settled[name]; !ok {
				t.Errorf("seed %d: %s has not settled\n%s", seed, name, lines)
			}
			for need, when := range needs[name] {
				if problem := unmet(r, need, when, at); problem != "" {
					t.Errorf("seed %d: %s started at %v, but %s\n%s", seed, name, at, problem, lines)
				}
			}
		}
		if limit > 0 && !strings.ContainsAny(lines, "<*") && !strings.Contains(lines, "connect") && r.f.most.Load() > int32(limit) {
			t.Errorf("seed %d: %d at once, limit %d\n%s", seed, r.f.most.Load(), limit, lines)
		}
	}
}

// randomPlan returns the lines of a workflow, and the conditions of the needs of its tasks.
func randomPlan(rng *rand.Rand) (lines string, needs map[string]map[string]string) {
	needs = map[string]map[string]string{}
	n := 2 + rng.IntN(9)
	streams, pools, looks := rng.IntN(2) == 0, rng.IntN(3) == 0, rng.IntN(2) == 0
	var text strings.Builder
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		needs[name] = map[string]string{}
		decorated := "1" + name
		if rng.IntN(5) == 0 {
			decorated = "!" + decorated
		}
		if rng.IntN(4) == 0 {
			decorated += fmt.Sprintf("*%d", 1+rng.IntN(4))
		}
		if pools && rng.IntN(3) == 0 {
			decorated += "%" + []string{"m", "p", "ppp"}[rng.IntN(3)]
		}
		var deps, cmds []string
		for j := range i {
			if rng.IntN(3) > 0 {
				continue
			}
			need := fmt.Sprintf("t%d", j)
			if streams && rng.IntN(3) == 0 && !strings.Contains(decorated, "<") {
				decorated += "<" + need
				if rng.IntN(2) == 0 {
					cmds = append(cmds, "read "+need)
				}
				continue
			}
			when := []string{"succeeded", "ready", "started", "ended"}[rng.IntN(4)]
			needs[name][need] = when
			if when == "succeeded" && rng.IntN(3) == 0 {
				when = "2s"
			}
			deps = append(deps, need+"@"+when)
		}
		if looks && rng.IntN(3) > 0 {
			cmds = append(cmds, []string{"fresh", "fresh 3ms", "stale", "stale 2ms"}[rng.IntN(4)])
		}
		for range rng.IntN(3) {
			switch k := rng.IntN(12); {
			case k == 0:
				cmds = append(cmds, "fail")
			case k <= 3:
				cmds = append(cmds, "serve")
			case k <= 5 && i > 0 && !slices.Contains(cmds, "serve"): // a ready service makes no calls
				call := fmt.Sprintf("call t%d", rng.IntN(i))
				switch rng.IntN(4) {
				case 0:
					call += fmt.Sprintf(" %ds", 1+rng.IntN(3))
				case 1:
					call = fmt.Sprintf("connect t%d t%d", rng.IntN(i), rng.IntN(i))
					if pools { // shared tasks would be started apart
						call = "connect c0 c1"
					}
				}
				cmds = append(cmds, call)
			default:
				cmds = append(cmds, fmt.Sprintf("sleep %ds", 1+rng.IntN(3)))
			}
		}
		fmt.Fprintf(&text, "%s: %s | %s\n", decorated, strings.Join(deps, " "), strings.Join(cmds, "; "))
	}
	fmt.Fprintf(&text, "all: t%d t%d |\nc0%%p: t0 | sleep 1s\nc1%%pp: | sleep 2s; call t0\n", n-1, rng.IntN(n))
	return text.String(), needs
}

// unmet returns why a need was not met at a time, or "".
func unmet(r result, need, when string, at time.Duration) string {
	began, started := r.began[need]
	ended, how := r.at[need], r.settled[need]
	switch {
	case when == "started" && (!started || began > at):
		return need + " had not started"
	case (when == "succeeded" || when == "ended") && ended > at:
		return need + " had not ended"
	case when == "succeeded" && how != event.Succeeded && how != event.Fresh:
		return fmt.Sprintf("%s was %v", need, how)
	case when == "ready" && !started:
		return need + " never was"
	}
	return ""
}
