package sched_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/sched"
)

// TestWithdrawing: a batch that cannot wait for a shared step withdraws; the step continues for the
// others, and is cancelled after the last has withdrawn.
func TestWithdrawing(t *testing.T) {
	const ok, stopped = event.Succeeded, event.Cancelled
	type end struct {
		how event.Outcome
		at  time.Duration
	}
	for name, test := range map[string]struct {
		lines string
		want  map[string]end
	}{
		"who joined withdraws": {`
			all: a b |
			a: | call once
			b: | sleep 1s; call once 2s
			1once: | sleep 10s`, map[string]end{"once": {ok, 10 * time.Second}, "a": {ok, 10 * time.Second}, "b": {ok, 3 * time.Second}}},
		"who started it withdraws": {`
			all: a b |
			a: | call once 2s
			b: | sleep 1s; call once
			1once: | sleep 10s`, map[string]end{"once": {ok, 10 * time.Second}, "a": {ok, 2 * time.Second}, "b": {ok, 10 * time.Second}}},
		"all withdraw": {`
			all: a b c |
			a: | call once 2s
			b: | sleep 1s; call once 2s
			c: | sleep 1s; call once 4s
			1once: | sleep 10s`, map[string]end{"once": {stopped, 5 * time.Second}, "a": {ok, 2 * time.Second}, "b": {ok, 3 * time.Second}, "c": {ok, 5 * time.Second}}},
		"nobody else": {`
			all: a |
			a: | call once 2s
			1once: | sleep 10s`, map[string]end{"once": {stopped, 2 * time.Second}, "a": {ok, 2 * time.Second}}},
		"what it needs goes on": {`
			all: a b |
			a: | call once 2s
			b: | sleep 1s; call once
			1once: slow | sleep 1s
			slow: | sleep 10s`, map[string]end{"slow": {ok, 10 * time.Second}, "once": {ok, 11 * time.Second}, "a": {ok, 2 * time.Second}, "b": {ok, 11 * time.Second}}},
		"what it needs does not": {`
			all: a b |
			a: | call once 2s
			b: | sleep 1s; call once 4s
			1once: slow | sleep 1s
			slow: | sleep 10s`, map[string]end{"slow": {stopped, 5 * time.Second}, "once": {event.Skipped, 5 * time.Second}, "b": {ok, 5 * time.Second}}},
		"what it calls goes on": {`
			all: a b |
			a: | call once 2s
			b: | sleep 1s; call once
			1once: | call slow; sleep 1s
			slow: | sleep 10s`, map[string]end{"slow": {ok, 10 * time.Second}, "once": {ok, 11 * time.Second}, "b": {ok, 11 * time.Second}}},
		"it is needed by what is called": {`
			all: a b |
			a: | call once
			b: | sleep 1s; call c 2s
			c: d | sleep 1s
			d: once |
			1once: | sleep 10s`, map[string]end{"once": {ok, 10 * time.Second}, "b": {ok, 3 * time.Second}, "d": {stopped, 3 * time.Second}, "c": {event.Skipped, 3 * time.Second}}},
		"who needs it was called first": {`
			all: a b |
			a: | call c 2s
			b: | sleep 1s; call once
			c: once other | sleep 1s
			other: | sleep 20s
			1once: | sleep 10s`, map[string]end{"once": {ok, 10 * time.Second}, "a": {ok, 2 * time.Second}, "other": {stopped, 2 * time.Second}, "b": {ok, 10 * time.Second}}},
		"two that share": {`
			all: a b c |
			a: | call once 2s; call two
			b: | sleep 1s; call two 3s
			c: | sleep 1s; call once
			1once: two | sleep 1s
			1two: | sleep 10s`, map[string]end{"two": {ok, 10 * time.Second}, "once": {ok, 11 * time.Second}, "a": {ok, 10 * time.Second}, "b": {ok, 4 * time.Second}, "c": {ok, 11 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, test.lines, sched.Options{Limit: 10}, nil)
			if r.err != nil {
				t.Error(r.err)
			}
			for task, want := range test.want {
				if got := (end{r.settled[task], r.at[task]}); got != want {
					t.Errorf("%s: %v at %v, want %v at %v", task, got.how, got.at, want.how, want.at)
				}
			}
		})
	}
}

// TestWithdrawingTogether: when everything is cancelled no step continues for another cancelled
// batch, and the run ends when all steps have.
func TestWithdrawingTogether(t *testing.T) {
	cause := errors.New("enough")
	r := run(t, `
		all: a b c |
		a: | call once 2s
		b: | sleep 1s; call once
		c: | sleep 1s; call two
		1once: two slow | sleep 10s
		1two: | sleep 10s
		slow: | sleep 10s`, sched.Options{Limit: 10}, func(cancel context.CancelCauseFunc) {
		time.Sleep(4 * time.Second)
		cancel(cause)
	})
	if r.took != 4*time.Second || r.err == nil {
		t.Errorf("error %v after %v", r.err, r.took)
	}
	for _, s := range []string{"once", "two", "slow", "a", "b", "c"} {
		if o := r.settled[s]; o == event.Succeeded || o == 0 {
			t.Errorf("%s settled as %v", s, o)
		}
	}
}
