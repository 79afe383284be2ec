package sched_test

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// TestPools: steps that take from a pool wait for each other, and block no others.
func TestPools(t *testing.T) {
	const s = time.Second
	const ok, failed, cancelled = event.Succeeded, event.Failed, event.Cancelled
	for name, test := range map[string]struct {
		lines   string
		want    map[string]life
		took    time.Duration
		problem string
	}{
		"a mutex": {lines: `
			all: a b c |
			a%m: | sleep 1s
			b%m: | sleep 1s
			c: | sleep 1s`,
			want: map[string]life{"a": {0, s, ok}, "b": {s, 2 * s, ok}, "c": {0, s, ok}}, took: 2 * s},
		"a larger one": {lines: `
			all: a b c d |
			a%pp: | sleep 1s
			b%ppp: | sleep 1s
			c%p: | sleep 1s
			d%pp: | sleep 1s`, // c does not overtake b
			want: map[string]life{"a": {0, s, ok}, "b": {s, 2 * s, ok}, "c": {2 * s, 3 * s, ok}, "d": {2 * s, 3 * s, ok}}, took: 3 * s},
		"kept while it waits for a call": {lines: `
			all: a b |
			a%m: | sleep 1s; call x
			x: | sleep 1s
			b%m: | sleep 1s`,
			want: map[string]life{"a": {0, 2 * s, ok}, "b": {2 * s, 3 * s, ok}}, took: 3 * s},
		"lent to what it calls": {lines: `
			all: a b |
			a%m: | sleep 1s; call both
			both: x y |
			x%m: | sleep 1s; call z
			y%m: | sleep 1s
			z%m: | sleep 1s
			b%m: | sleep 1s`,
			want: map[string]life{"x": {s, 3 * s, ok}, "z": {2 * s, 3 * s, ok}, "y": {3 * s, 4 * s, ok}, "a": {0, 4 * s, ok}, "b": {4 * s, 5 * s, ok}}, took: 5 * s},
		"lent, and it takes more": {lines: `
			all: a b |
			a%p: | sleep 1s; call x
			x%ppp: | sleep 1s
			b%pp: | sleep 3s`,
			want: map[string]life{"b": {0, 3 * s, ok}, "x": {3 * s, 4 * s, ok}, "a": {0, 4 * s, ok}}, took: 4 * s},
		"not lent to a service that is called": {lines: `
			all: a b |
			a%m: | call db; sleep 1s
			~db%m: | up 1s
			b%m: | sleep 1s`,
			want: map[string]life{"a": {0, 0, failed}, "db": {never, 0, failed}, "b": {0, s, ok}}, took: s,
			problem: `"db" waits for units that "a" has of pool "m", and "a" waits for "db"`},
		"kept while a service is up": {lines: `
			all: a b |
			a: db | sleep 2s
			~db%m: | sleep 1s; up 1s
			b%m: | sleep 1s`,
			want: map[string]life{"db": {0, 4 * s, ok}, "b": {4 * s, 5 * s, ok}}, took: 5 * s},
		"a gang takes all at once": {lines: `
			all: a r b |
			a%p: | sleep 1s
			r%p<w: | read w; sleep 1s
			w%pp: | sleep 1s
			b%p: | sleep 1s`,
			want: map[string]life{"w": {s, 2 * s, ok}, "r": {s, 3 * s, ok}, "b": {3 * s, 4 * s, ok}}, took: 4 * s},
		"a gang takes no more than there is": {lines: `
			all: r b |
			r%m<w: | read w; sleep 1s
			w%m: | sleep 1s
			b%m: | sleep 1s`,
			want: map[string]life{"w": {0, s, ok}, "r": {0, 2 * s, ok}, "b": {2 * s, 3 * s, ok}}, took: 3 * s},
		"a gang takes from several": {lines: `
			all: r q b c |
			r%m<w: | read w
			w%p: | sleep 1s
			q%p<v: | read v
			v%m: | sleep 1s
			b%m: | sleep 1s
			c%ppp: | sleep 1s`,
			want: map[string]life{"w": {0, s, ok}, "c": {s, 2 * s, ok}, "v": {2 * s, 3 * s, ok}, "b": {3 * s, 4 * s, ok}}, took: 4 * s},
		"connected calls take all at once": {lines: `
			all: | connect x y
			x%m: | sleep 1s
			y%m: | sleep 1s`,
			want: map[string]life{"x": {0, s, ok}, "y": {0, s, ok}}, took: s},
		"two that would wait for each other": {lines: `
			all: a b |
			a%m: | sleep 1s; call x
			b%n: | sleep 2s; call y
			x%n: | sleep 1s
			y%m: | sleep 1s`,
			want: map[string]life{"a": {0, 3 * s, ok}, "b": {0, 2 * s, failed}, "x": {2 * s, 3 * s, ok}}, took: 3 * s,
			problem: `task "y" would wait for pool "m" forever`},
		"a service that it needs": {lines: `
			all: a |
			a%m: db | sleep 1s
			~db%m: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 2 * s, ok}, "a": {never, s, failed}}, took: 2 * s,
			problem: `"a" waits for units that "db" has of pool "m", and "db" is up as long as "a" needs it`},
		"a shared step that waits already": {lines: `
			all: a b |
			a%m: | sleep 2s; call x
			b: | sleep 1s; call x
			1x%n: y |
			1y%m: | sleep 1s`,
			want: map[string]life{"a": {0, 2 * s, failed}, "y": {never, 2 * s, failed}}, took: 2 * s,
			problem: `task "y" would wait for pool "m" forever`},
		"failed ones give back": {lines: `
			!all: a b |
			a%m: | sleep 1s; fail
			b%m: | sleep 1s`,
			want: map[string]life{"a": {0, s, failed}, "b": {never, s, cancelled}}, took: s, problem: `"a": failed`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []int{9, 0} {
				o := sched.Options{Limit: limit, SoftLimit: 9, Services: true, Pools: map[string]int{"m": 1, "n": 1, "p": 3}}
				check(t, run(t, test.lines, o, nil), test.want, test.took, test.problem)
			}
		})
	}
}

// TestWaitingEvents: a step that waits for a pool reports it once, and one that waits for a slot
// does if requested.
func TestWaitingEvents(t *testing.T) {
	const lines = `
		all: a b c d e |
		a%m: | sleep 1s
		b%m: | sleep 1s
		c%m: | sleep 1s
		d: | sleep 1s
		e: | sleep 1s`
	for _, detail := range []bool{false, true} {
		names := map[event.StepID]string{}
		var told []string
		run(t, lines, sched.Options{Limit: 2, Pools: map[string]int{"m": 1}, Detail: detail, Emit: func(ev event.Event) {
			switch ev := ev.(type) {
			case *event.Waiting:
				told = append(told, fmt.Sprintf("%d for %s of %q", ev.Step, ev.For, ev.Holder))
			case *event.StepStarted:
				names[ev.Step] = ev.Name
			}
		}}, nil)
		want := []string{`2 for pool:m of "a"`, `3 for pool:m of "a"`}
		if detail {
			want = append(want, `5 for slot of ""`)
		}
		if !slices.Equal(told, want) {
			t.Errorf("detail %v: %q, want %q", detail, told, want)
		}
	}
}

// started runs lines and returns the names of the steps in start order.
func started(t *testing.T, lines string, o sched.Options) (names []string) {
	t.Helper()
	o.Emit = func(ev event.Event) {
		if ev, ok := ev.(*event.StepStarted); ok {
			names = append(names, ev.Name)
		}
	}
	if r := run(t, lines, o, nil); r.err != nil {
		t.Error(r.err)
	}
	return names
}

// TestLongestChainFirst: with several slots the longest chain starts first; with one slot, source
// order.
func TestLongestChainFirst(t *testing.T) {
	const lines = `
		all: a b c d e |
		a: | sleep 1s
		b: b1 | sleep 1s
		b1: b2 | sleep 1s
		b2: | sleep 1s
		c: c1 | sleep 1s
		c1: | sleep 1s
		d: | sleep 1s
		e: | sleep 1s`
	key := func(s *plan.Step) uint64 { return uint64(crc32.ChecksumIEEE([]byte(s.Name))) }
	durations := func(known map[string]time.Duration) func(key uint64) time.Duration {
		byKey := map[uint64]time.Duration{}
		for name, d := range known {
			byKey[key(&plan.Step{Name: name})] = d
		}
		return func(key uint64) time.Duration { return byKey[key] }
	}
	for name, test := range map[string]struct {
		limit     int
		durations func(key uint64) time.Duration
		first     string
	}{
		"one slot":        {1, nil, "a b2 b1 b c1 c d e all"},
		"nothing known":   {2, nil, "b2 c1"},
		"something known": {2, durations(map[string]time.Duration{"e": time.Hour, "a": time.Second, "b": time.Second}), "e b2"},
		"the median":      {2, durations(map[string]time.Duration{"e": 4 * time.Second, "a": 5 * time.Second, "d": 6 * time.Second}), "b2 c1"},
	} {
		if got := strings.Join(started(t, lines, sched.Options{Limit: test.limit, Keys: keysBy(key), Durations: test.durations}), " "); !strings.HasPrefix(got, test.first) {
			t.Errorf("%s: %s, want %s first", name, got, test.first)
		}
	}
}

// TestOvertaking: the step that has waited longest is next after as many later ones as there are
// slots.
func TestOvertaking(t *testing.T) {
	for limit := 2; limit <= 4; limit++ {
		all, lines := "all: short", "short: | sleep 1s\n"
		for chain := range limit {
			all += fmt.Sprintf(" c%d-20", chain)
			lines += fmt.Sprintf("c%d-0: | sleep 1s\n", chain)
			for i := range 20 {
				lines += fmt.Sprintf("c%d-%d: c%d-%d | sleep 1s\n", chain, i+1, chain, i)
			}
		}
		order := started(t, all+" |\n"+lines, sched.Options{Limit: limit})
		// The first step of each chain arrived together with it.
		if at := slices.Index(order, "short"); at != 2*limit {
			t.Errorf("limit %d: %d started before it, want %d: %s", limit, at, 2*limit, order)
		}
	}
}

// TestCallersDoNotStarve: steps of newer plans do not keep older ones from starting.
func TestCallersDoNotStarve(t *testing.T) {
	r := run(t, `
		all: a b c |
		a: | `+strings.Repeat("call x; ", 50)+`
		b: | `+strings.Repeat("call x; ", 50)+`
		c: | sleep 1s
		x: | sleep 1s`, sched.Options{Limit: 2}, nil)
	if r.err != nil || r.at["c"] > 10*time.Second {
		t.Errorf("error %v, c ended at %v", r.err, r.at["c"])
	}
}
