package sched_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/sched"
)

// tokens are shared with another program that takes and returns some.
type tokens struct {
	mu   sync.Mutex // guards the fields below
	free int
	more chan struct{} // see Await; nil: not waiting
}

func (k *tokens) Take() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.free == 0 {
		return false
	}
	k.free--
	return true
}

func (k *tokens) Give(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free += n
	if k.more != nil {
		close(k.more)
		k.more = nil
	}
}

func (k *tokens) Await() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.more == nil {
		k.more = make(chan struct{})
	}
	return k.more
}

// TestTokens: one step runs without a token, each further slot takes one, and all are returned.
func TestTokens(t *testing.T) {
	const s = time.Second
	const ok = event.Succeeded
	const six = `
		all: a b c d e f |
		a: | sleep 1s
		b: | sleep 1s
		c: | sleep 1s
		d: | sleep 1s
		e: | sleep 1s
		f: | sleep 1s`
	for name, test := range map[string]struct {
		lines  string
		limit  int
		free   int
		others func(k *tokens) // actions of the other program
		most   int32
		took   time.Duration
		want   map[string]life
		left   int // tokens at the end
	}{
		"fewer than slots":    {six, 5, 2, nil, 3, 2 * s, nil, 2},
		"none":                {six, 5, 0, nil, 1, 6 * s, nil, 0},
		"more than slots":     {six, 2, 9, nil, 2, 3 * s, nil, 9},
		"without other limit": {six, 0, 2, nil, 3, 2 * s, nil, 2},
		"given by others":     {six, 6, 0, func(k *tokens) { time.AfterFunc(1500*time.Millisecond, func() { k.Give(2) }) }, 3, 3500 * time.Millisecond, nil, 2},
		"taken by others":     {six, 6, 2, func(k *tokens) { k.Take() }, 2, 3 * s, nil, 1},
		"what weighs more than there are runs alone": {`
			all: a b c |
			a: | sleep 1s
			b*3: | sleep 1s
			c: | sleep 1s`, 3, 1, nil, 1, 3 * s, map[string]life{"a": {0, s, ok}, "b": {s, 2 * s, ok}, "c": {2 * s, 3 * s, ok}}, 1},
		"none while it waits for a call": {`
			all: | call a; call a
			a: b c |
			b: | sleep 1s
			c: | sleep 1s`, 4, 1, nil, 2, 2 * s, nil, 1},
		"none for a service that is up": {`
			all: a b |
			a: s@ready | sleep 1s
			b: s@ready | sleep 1s
			~s: | up`, 4, 1, nil, 2, s, nil, 1},
		"given back after a failure": {`
			!all: a b c |
			a: | sleep 1s; fail
			b: | sleep 2s
			c: | sleep 2s`, 4, 2, nil, 3, s, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			k := &tokens{free: test.free}
			if test.others == nil {
				test.others = func(*tokens) {}
			}
			r := run(t, test.lines, sched.Options{Limit: test.limit, SoftLimit: 9, Tokens: k, Emit: func(ev event.Event) {
				if _, begins := ev.(*event.Planned); begins {
					test.others(k)
				}
			}}, nil)
			if r.f.most.Load() != test.most || r.took != test.took || k.free != test.left {
				t.Errorf("%d at once in %v, %d tokens at the end; want %d in %v and %d", r.f.most.Load(), r.took, k.free, test.most, test.took, test.left)
			}
			for step, want := range test.want {
				if got := (life{r.began[step], r.at[step], r.settled[step]}); got != want {
					t.Errorf("%s: %v, want %v", step, got, want)
				}
			}
		})
	}
}

// TestRandomTokens: for any plan and any behaviour of the other program, the run ends, the tokens
// suffice for the running steps, and all tokens are returned.
func TestRandomTokens(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		lines, _ := randomPlan(rng)
		k := &tokens{free: rng.IntN(4)}
		all := k.free
		var others atomic.Int32 // tokens of the other program
		o := sched.Options{Limit: rng.IntN(5), SoftLimit: 3, Tokens: k}
		r := run(t, lines, o, func(cancel context.CancelCauseFunc) {
			for range 4 {
				time.AfterFunc(time.Duration(rng.IntN(4000))*time.Millisecond, func() {
					if k.Take() {
						others.Add(1)
						time.AfterFunc(500*time.Millisecond, func() { k.Give(1); others.Add(-1) })
					}
				})
			}
			if rng.IntN(2) == 0 {
				time.AfterFunc(time.Duration(rng.IntN(4000))*time.Millisecond, func() { cancel(errors.New("enough")) })
			}
		})
		if k.free+int(others.Load()) != all {
			t.Errorf("seed %d: %d tokens of %d, of which the other has %d\n%s", seed, k.free, all, others.Load(), lines)
		}
		if most := r.f.most.Load(); !strings.ContainsAny(lines, "<*") && !strings.Contains(lines, "connect") && most > int32(all)+1 {
			t.Errorf("seed %d: %d at once with %d tokens\n%s", seed, most, all, lines)
		}
	}
}
