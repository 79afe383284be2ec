package sched_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/sched"
)

// life is the start, the end and the outcome of a step.
type life struct {
	began, ended time.Duration
	how          event.Outcome
}

const never = -1 // began: it did not start

// check compares the lives of steps and the result of the run with the expected ones; errors are
// compared by substring.
func check(t *testing.T, r result, want map[string]life, took time.Duration, problem string) {
	t.Helper()
	for name, want := range want {
		began, ok := r.began[name]
		if !ok {
			began = never
		}
		if got := (life{began, r.at[name], r.settled[name]}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if r.took != took {
		t.Errorf("took %v, want %v", r.took, took)
	}
	if (r.err == nil) != (problem == "") || r.err != nil && !strings.Contains(r.err.Error(), problem) {
		t.Errorf("error %v, want %q", r.err, problem)
	}
}

// TestConditions: a step starts when the conditions of its needs are met, and the run ends when all
// steps have.
func TestConditions(t *testing.T) {
	const s = time.Second
	const ok, failed, skipped, cancelled = event.Succeeded, event.Failed, event.Skipped, event.Cancelled
	for name, test := range map[string]struct {
		limit   int
		lines   string
		want    map[string]life
		took    time.Duration
		problem string
	}{
		"succeeded": {9, `
			all: a |
			a: | sleep 1s`, map[string]life{"a": {0, s, ok}, "all": {s, s, ok}}, s, ""},
		"succeeded, but it failed": {9, `
			all: a |
			a: | sleep 1s; fail`, map[string]life{"a": {0, s, failed}, "all": {never, s, skipped}}, s, `"a": failed`},
		"started": {9, `
			all: a@started | sleep 1s
			a: b | sleep 3s
			b: | sleep 1s`, map[string]life{"a": {s, 4 * s, ok}, "all": {s, 2 * s, ok}}, 4 * s, ""},
		"started, and fails later": {9, `
			all: a@started | sleep 1s
			a: | sleep 3s; fail`, map[string]life{"a": {0, 3 * s, failed}, "all": {0, s, ok}}, 3 * s, `"a": failed`},
		"started, but it never is": {9, `
			all: a@started |
			a: b | sleep 3s
			b: | sleep 1s; fail`, map[string]life{"a": {never, s, skipped}, "all": {never, s, skipped}}, s, `"b": failed`},
		"started, and needs no slot of its own": {1, `
			all: a@started | sleep 1s
			a: | sleep 3s`, map[string]life{"a": {0, 3 * s, ok}, "all": {3 * s, 4 * s, ok}}, 4 * s, ""},
		"started, by two": {9, `
			all: b c |
			b: a@started | sleep 1s
			c: a |
			1a: | sleep 3s`, map[string]life{"a": {0, 3 * s, ok}, "b": {0, s, ok}, "c": {3 * s, 3 * s, ok}}, 3 * s, ""},
		"started, as it has by a call": {9, `
			all: a@started b |
			b: | sleep 1s; call c
			c: a | sleep 1s
			1a: | sleep 3s`, map[string]life{"a": {0, 3 * s, ok}, "c": {3 * s, 4 * s, ok}, "all": {4 * s, 4 * s, ok}}, 4 * s, ""},
		"started, when it was suspended at once": {9, `
			all: a@started |
			a: | call b
			b: | sleep 1s`, map[string]life{"a": {0, s, ok}, "all": {0, 0, ok}}, s, ""},
		"ended": {9, `
			all: a@ended |
			a: | sleep 1s`, map[string]life{"all": {s, s, ok}}, s, ""},
		"ended, though it failed": {9, `
			all: b |
			b: a@ended | sleep 1s
			a: | sleep 1s; fail`, map[string]life{"a": {0, s, failed}, "b": {s, 2 * s, ok}, "all": {2 * s, 2 * s, ok}}, 2 * s, `"a": failed`},
		"ended, and another failed": {9, `
			all: a@ended b |
			a: | sleep 2s; fail
			b: | sleep 1s; fail`, map[string]life{"a": {0, 2 * s, failed}, "all": {never, 2 * s, skipped}}, 2 * s, `failed`},
		"ready": {9, `
			all: a@ready | sleep 1s
			a: | sleep 1s; serve; sleep 4s`, map[string]life{"a": {0, 5 * s, ok}, "all": {s, 2 * s, ok}}, 5 * s, ""},
		"ready, and holds no slot": {1, `
			all: a@ready | sleep 1s
			a: | sleep 1s; serve; sleep 4s`, map[string]life{"a": {0, 5 * s, ok}, "all": {s, 2 * s, ok}}, 5 * s, ""},
		"ready, but it never is": {9, `
			all: a@ready |
			a: | sleep 1s; fail`, map[string]life{"a": {0, s, failed}, "all": {never, s, skipped}}, s, `"a": failed`},
		"ready, and fails later": {9, `
			all: a@ready | sleep 1s
			a: | serve; sleep 4s; fail`, map[string]life{"a": {0, 4 * s, failed}, "all": {0, s, ok}}, 4 * s, `"a": failed`},
		"ready, but it has ended before": {9, `
			all: a@ready |
			a: | sleep 1s`, map[string]life{"all": {s, s, ok}}, s, ""},
		"failfast ends what only a failed step needs": {9, `
			all: b |
			!b: a@started c |
			a: | wait
			c: | sleep 1s; fail`, map[string]life{"a": {0, s, cancelled}, "b": {never, s, skipped}}, s, `"c": failed`},
		"failfast ends nothing that another needs": {9, `
			all: b d |
			!b: a@started c |
			c: | sleep 1s; fail
			d: a@started | sleep 2s
			1a: | sleep 3s`, map[string]life{"a": {0, 3 * s, ok}, "d": {0, 2 * s, ok}}, 3 * s, `"c": failed`},
		"together": {2, `
			all: r |
			r<w: a | read w
			w: | sleep 2s
			a: | sleep 1s`, map[string]life{"w": {s, 3 * s, ok}, "r": {s, 3 * s, ok}}, 3 * s, ""},
		"together, and the reader ends first": {2, `
			all: r b |
			r<w: | sleep 1s
			w: | sleep 3s
			b: | sleep 1s`, map[string]life{"w": {0, 3 * s, ok}, "r": {0, 3 * s, ok}, "b": {s, 2 * s, ok}}, 3 * s, ""},
		"together, and the writer fails": {2, `
			all: r |
			r<w: | read w
			w: | sleep 3s; fail`, map[string]life{"w": {0, 3 * s, failed}, "r": {0, 3 * s, skipped}}, 3 * s, `"w": failed`},
		"together, for too long": {9, `
			all: r |
			r<w: w@2s | read w
			w: | sleep 5s`, map[string]life{"w": {0, 2 * s, cancelled}, "r": {0, 2 * s, skipped}}, 2 * s, "exceeded (2s)"},
		"together, for too long, and another reads on": {9, `
			all: r q |
			r<w: w@2s | sleep 5s
			q<w: | read w
			1w: | sleep 3s`, map[string]life{"w": {0, 3 * s, ok}, "q": {0, 3 * s, ok}, "r": {0, 3 * s, cancelled}}, 3 * s, "exceeded (2s)"},
		"for too long": {9, `
			all: a@2s |
			a: | sleep 5s`, map[string]life{"a": {0, 2 * s, cancelled}, "all": {never, 2 * s, skipped}}, 2 * s, "exceeded (2s)"},
		"for too long, and another goes on": {9, `
			all: b c |
			b: a@2s |
			c: a |
			1a: | sleep 5s`, map[string]life{"a": {0, 5 * s, ok}, "b": {never, 2 * s, skipped}, "c": {5 * s, 5 * s, ok}}, 5 * s, "exceeded (2s)"},
		"together, but one never starts": {2, `
			all: r |
			r<w: a | read w
			w: |
			a: | sleep 1s; fail`, map[string]life{"w": {never, s, skipped}, "r": {never, s, skipped}}, s, `"a": failed`},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, run(t, test.lines, sched.Options{Limit: test.limit}, nil), test.want, test.took, test.problem)
		})
	}
}

// TestWeights: a step takes as many slots as its weight, and the first in the queue is not
// overtaken.
func TestWeights(t *testing.T) {
	const s = time.Second
	const ok = event.Succeeded
	for name, test := range map[string]struct {
		lines string
		want  map[string]life
		took  time.Duration
	}{
		"side by side": {`
			all: a b c d |
			a*3: | sleep 2s
			b: | sleep 1s
			c*2: | sleep 1s
			d: | sleep 1s`, map[string]life{"a": {0, 2 * s, ok}, "b": {0, s, ok}, "c": {2 * s, 3 * s, ok}, "d": {2 * s, 3 * s, ok}}, 3 * s},
		"more than there are": {`
			all: a b c |
			a: | sleep 1s
			b*9: | sleep 1s
			c: | sleep 1s`, map[string]life{"a": {0, s, ok}, "b": {s, 2 * s, ok}, "c": {2 * s, 3 * s, ok}}, 3 * s},
		"none while it waits for a call": {`
			all: a |
			a*9: | sleep 1s; call b; sleep 1s
			b: c d e f |
			c: | sleep 1s
			d: | sleep 1s
			e: | sleep 1s
			f: | sleep 1s`, map[string]life{"a": {0, 3 * s, ok}, "f": {s, 2 * s, ok}}, 3 * s},
		"all of them again after a call": {`
			all: a b |
			a*3: | call c; sleep 1s
			b*2: | sleep 2s
			c: | sleep 1s`, map[string]life{"c": {0, s, ok}, "b": {0, 2 * s, ok}, "a": {0, 3 * s, ok}}, 3 * s},
		"gang": {`
			all: a r |
			a*3: | sleep 1s
			r*2<w: | read w
			w: | sleep 1s`, map[string]life{"w": {s, 2 * s, ok}, "r": {s, 2 * s, ok}}, 2 * s},
		"gang that is larger than the limit": {`
			all: a r b |
			a: | sleep 1s
			r*9<w: | read w
			w: | sleep 1s
			b: | sleep 1s`, map[string]life{"w": {s, 2 * s, ok}, "r": {s, 2 * s, ok}, "b": {2 * s, 3 * s, ok}}, 3 * s},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, run(t, test.lines, sched.Options{Limit: 4}, nil), test.want, test.took, "")
		})
	}
}

// TestGangCalls: tasks called by members of a gang get slots, however few there are.
func TestGangCalls(t *testing.T) {
	const s = time.Second
	for limit := 1; limit <= 5; limit++ {
		r := run(t, `
			all: last b |
			last<middle: | read middle; call n1
			middle<first: | call n2; read first
			first: | call n3; call n4
			n1: | sleep 1s
			n2: | sleep 1s
			n3: | sleep 1s
			n4: | sleep 1s
			b: | sleep 1s`, sched.Options{Limit: limit}, nil)
		if r.err != nil || r.took > 5*s {
			t.Errorf("limit %d: error %v after %v", limit, r.err, r.took)
		}
	}
}

// TestCallThatIsDecidedAtOnce: the caller of a task that cannot start holds its slot once.
func TestCallThatIsDecidedAtOnce(t *testing.T) {
	r := run(t, `
		all: | call x 1h; call x 1h; call both
		x: f |
		1f: | fail
		both: a b |
		a: | sleep 1s
		b: | sleep 1s`, sched.Options{Limit: 2}, nil)
	if r.err != nil || r.took != time.Second {
		t.Errorf("error %v after %v, want none after 1s", r.err, r.took)
	}
}

// TestCancelledWithNeedsThatGoOn: needs that outlive their dependents are cancelled with the run,
// too.
func TestCancelledWithNeedsThatGoOn(t *testing.T) {
	cause := errors.New("enough")
	r := run(t, `
		all: a@started b@ready | sleep 1s
		a: | wait
		b: | serve; wait`, sched.Options{Limit: 2}, func(cancel context.CancelCauseFunc) {
		time.Sleep(3 * time.Second)
		cancel(cause)
	})
	check(t, r, map[string]life{"a": {0, 3 * time.Second, event.Cancelled}, "b": {0, 3 * time.Second, event.Cancelled},
		"all": {0, time.Second, event.Succeeded}}, 3*time.Second, "enough")
}
