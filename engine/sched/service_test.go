package sched_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// TestServices: a service is ready before its dependents start, and lasts until they have ended.
func TestServices(t *testing.T) {
	const s = time.Second
	const ok, failed, skipped, cancelled = event.Succeeded, event.Failed, event.Skipped, event.Cancelled
	for name, test := range map[string]struct {
		lines   string
		roots   string        // default: all
		after   time.Duration // when the run is cancelled, unless 0
		want    map[string]life
		took    time.Duration
		problem string
	}{
		"needed": {lines: `
			all: t |
			t: db | sleep 2s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 4 * s, ok}, "t": {s, 3 * s, ok}, "all": {3 * s, 3 * s, ok}}, took: 4 * s},
		"needed by several": {lines: `
			all: a b |
			a: db | sleep 2s
			b: a db | sleep 2s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 6 * s, ok}, "a": {s, 3 * s, ok}, "b": {3 * s, 5 * s, ok}}, took: 6 * s},
		"dependents end first": {lines: `
			all: t |
			t: web | sleep 1s
			~web: api | up 1s
			~api: db | up 1s
			~db: | up 1s`,
			want: map[string]life{"t": {0, s, ok}, "web": {0, 2 * s, ok}, "api": {0, 3 * s, ok}, "db": {0, 4 * s, ok}}, took: 4 * s},
		"dependents end first when all is cancelled, too": {lines: `
			all: web |
			~web: api | up 1s
			~api: db | up 1s
			~db: | up 1s`, after: 5 * s,
			want: map[string]life{"all": {0, 5 * s, cancelled}, "web": {0, 6 * s, cancelled}, "api": {0, 7 * s, cancelled}, "db": {0, 8 * s, cancelled}}, took: 8 * s, problem: "enough"},
		"as a root it lasts": {lines: `
			~db: | sleep 1s; up 1s`, roots: "db", after: 7 * s,
			want: map[string]life{"db": {0, 8 * s, cancelled}}, took: 8 * s, problem: "enough"},
		"as a root beside one that ends it lasts": {lines: `
			~db: | sleep 1s; up 1s
			t: db | sleep 1s`, roots: "db t", after: 7 * s,
			want: map[string]life{"db": {0, 8 * s, cancelled}, "t": {s, 2 * s, ok}}, took: 8 * s, problem: "enough"},
		"as a root beside one that fails it ends": {lines: `
			~db: | sleep 1s; up 1s
			t: db | sleep 1s; fail
			u: | sleep 5s`, roots: "db t u",
			want: map[string]life{"db": {0, 6 * s, cancelled}, "t": {s, 2 * s, failed}, "u": {0, 5 * s, ok}}, took: 6 * s, problem: `"t": failed`},
		"not up yet when all is cancelled": {lines: `
			all: t |
			t: api | sleep 2s
			~api: db | sleep 5s; up 1s
			~db: | sleep 1s; up 1s`, after: 2 * s,
			want: map[string]life{"db": {0, 3 * s, cancelled}, "api": {s, 2 * s, cancelled}, "t": {never, 2 * s, skipped}}, took: 3 * s, problem: "enough"},
		"it fails": {lines: `
			all: t u |
			t: db | sleep 9s
			u: db v |
			v: | sleep 4s
			~db: | sleep 1s; serve; sleep 2s; fail`,
			want: map[string]life{"db": {0, 3 * s, failed}, "t": {s, 3 * s, cancelled}, "u": {never, 4 * s, skipped}, "v": {0, 4 * s, ok}}, took: 4 * s, problem: `"db": failed`},
		"it fails below a group, and those who need that take their time": {lines: `
			all: t |
			t: stack | defer 2s; sleep 9s
			stack: a b |
			~a: c | up
			~b: | up 1s
			~c: | serve; sleep 3s; fail`,
			want: map[string]life{"c": {0, 3 * s, failed}, "t": {0, 5 * s, cancelled}, "a": {0, 5 * s, cancelled}, "stack": {0, 5 * s, failed}, "b": {0, 6 * s, ok}}, took: 6 * s, problem: `"c": failed`},
		"it ends well before those who need it": {lines: `
			all: t u |
			t: db | sleep 9s
			u: db v | sleep 1s
			v: | sleep 4s
			~db: | sleep 1s; serve; sleep 2s`,
			want: map[string]life{"db": {0, 3 * s, failed}, "t": {s, 3 * s, cancelled}, "u": {never, 4 * s, skipped}, "v": {0, 4 * s, ok}}, took: 4 * s, problem: `"db": it has ended although 2 steps need it`},
		"as a root it ends": {lines: `
			~db: | sleep 1s; serve; sleep 2s`, roots: "db",
			want: map[string]life{"db": {0, 3 * s, ok}}, took: 3 * s},
		"it fails, and others that it does not concern go on": {lines: `
			all: api web |
			~api: db | up 1s
			~db: | sleep 1s; serve; sleep 2s; fail
			~web: | up 1s`, after: 9 * s,
			want: map[string]life{"db": {0, 3 * s, failed}, "api": {s, 4 * s, cancelled}, "web": {0, 10 * s, cancelled}, "all": {s, 9 * s, failed}}, took: 10 * s, problem: `"db": failed`},
		"it fails, and the rest ends with it": {lines: `
			!all: api web |
			~api: db | up 1s
			~db: | sleep 1s; serve; sleep 2s; fail
			~web: | up 1s`,
			want: map[string]life{"db": {0, 3 * s, failed}, "api": {s, 4 * s, cancelled}, "web": {0, 4 * s, ok}, "all": {s, 3 * s, failed}}, took: 4 * s, problem: `"db": failed`},
		"all that a group stands for has ended": {lines: `
			all: a b |
			~a: | serve; sleep 3s
			~b: | serve; sleep 2s`,
			want: map[string]life{"a": {0, 3 * s, ok}, "all": {0, 3 * s, ok}}, took: 3 * s},
		"it fails below a group": {lines: `
			all: t |
			t: stack | sleep 9s
			stack: a b |
			~a: | serve; sleep 3s; fail
			~b: | up 1s`,
			want: map[string]life{"a": {0, 3 * s, failed}, "t": {0, 3 * s, cancelled}, "stack": {0, 3 * s, failed}, "b": {0, 4 * s, ok}}, took: 4 * s, problem: `"a": failed`},
		"called": {lines: `
			all: | call db; sleep 2s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 4 * s, ok}, "all": {0, 3 * s, ok}}, took: 4 * s},
		"called with a limit": {lines: `
			all: | call db 2s; sleep 4s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 6 * s, ok}, "all": {0, 5 * s, ok}}, took: 6 * s},
		"called by two": {lines: `
			all: a b |
			a: | call db; sleep 2s
			b: | sleep 2s; call db; sleep 4s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 7 * s, ok}, "a": {0, 3 * s, ok}, "b": {0, 6 * s, ok}}, took: 7 * s},
		"called with what it needs": {lines: `
			all: | call stack; sleep 2s
			stack: web |
			~web: db | up 1s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"stack": {s, 3 * s, ok}, "web": {s, 4 * s, ok}, "db": {0, 5 * s, ok}, "all": {0, 3 * s, ok}}, took: 5 * s},
		"needed by what is called": {lines: `
			all: | call t; sleep 1s
			t: db | sleep 2s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"t": {s, 3 * s, ok}, "db": {0, 4 * s, ok}, "all": {0, 5 * s, ok}}, took: 5 * s},
		"needed by what is called, and by another": {lines: `
			all: a b |
			a: | call t; sleep 1s
			b: db | sleep 9s
			t: db | sleep 2s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"t": {s, 3 * s, ok}, "a": {0, 4 * s, ok}, "db": {0, 11 * s, ok}, "b": {s, 10 * s, ok}}, took: 11 * s},
		"needed again": {lines: `
			all: | call t; call u
			t: db | sleep 1s
			u: db | sleep 1s
			~db: x | sleep 1s; up 1s
			1x: | sleep 1s`,
			want: map[string]life{"x": {0, s, ok}, "t": {2 * s, 3 * s, ok}, "db": {4 * s, 7 * s, ok}, "u": {5 * s, 6 * s, ok}}, took: 7 * s},
		"needed again while it ends": {lines: `
			all: a b |
			a: db | sleep 1s
			b: | sleep 2s; call u
			u: db | sleep 1s
			~db: | up 5s`,
			want: map[string]life{"a": {0, s, ok}, "u": {6 * s, 7 * s, ok}, "db": {6 * s, 12 * s, ok}}, took: 12 * s},
		"it fails after it was called": {lines: `
			all: | call a; sleep 1s
			a: | call db; sleep 9s
			~db: | sleep 1s; serve; sleep 2s; fail`,
			want: map[string]life{"db": {0, 3 * s, failed}, "a": {0, 3 * s, cancelled}}, took: 3 * s, problem: `service "db" failed`},
		"a called task that needs it takes too long": {lines: `
			all: | call t 3s
			t: db | sleep 9s
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 4 * s, ok}, "t": {s, 3 * s, cancelled}}, took: 4 * s, problem: ""},
		"it is called and takes too long": {lines: `
			all: | call db 3s
			~db: | sleep 9s; up`,
			want: map[string]life{"db": {0, 3 * s, cancelled}}, took: 3 * s, problem: ""},
		"a task beside it is to end with the first failure": {lines: `
			!all: t u |
			t: db | sleep 2s; fail
			u: db | wait
			~db: | sleep 1s; up 1s`,
			want: map[string]life{"db": {0, 4 * s, ok}, "t": {s, 3 * s, failed}, "u": {s, 3 * s, cancelled}}, took: 4 * s, problem: `"t": failed`},
	} {
		t.Run(name, func(t *testing.T) {
			var during func(context.CancelCauseFunc)
			if test.after > 0 {
				during = func(cancel context.CancelCauseFunc) {
					time.AfterFunc(test.after, func() { cancel(errors.New("enough")) })
				}
			}
			for _, limit := range []int{9, 0} {
				check(t, run(t, test.lines, sched.Options{Limit: limit, SoftLimit: 9, Services: true}, during, strings.Fields(test.roots)...), test.want, test.took, test.problem)
			}
		})
	}
}

// TestLetGo: released services among the roots end when they are ready and nothing else needs them.
func TestLetGo(t *testing.T) {
	const s = time.Second
	letGo := func(r *sched.Run, ctx context.Context, p *plan.Plan) error {
		x := r.Begin(ctx, p)
		if x.Up() {
			x.ReleaseRoots()
		}
		return x.Wait()
	}
	for name, test := range map[string]struct {
		lines, roots string
		want         map[string]life
		took         time.Duration
		problem      string
	}{
		"a service":          {"~db: | sleep 1s; up 1s", "db", map[string]life{"db": {0, 2 * s, event.Succeeded}}, 2 * s, ""},
		"what stands for it": {"all: web |\n~web: db | up 1s\n~db: | sleep 1s; up 1s", "all", map[string]life{"all": {s, s, event.Succeeded}, "web": {s, 2 * s, event.Succeeded}, "db": {0, 3 * s, event.Succeeded}}, 3 * s, ""},
		"needed elsewhere":   {"~db: | sleep 1s; up 1s\nt: db | sleep 5s", "db t", map[string]life{"db": {0, 7 * s, event.Succeeded}, "t": {s, 6 * s, event.Succeeded}}, 7 * s, ""},
		"one that fails":     {"~db: | sleep 1s; fail", "db", map[string]life{"db": {0, s, event.Failed}}, s, `"db": failed`},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, runWith(t, test.lines, sched.Options{Limit: 9, Services: true}, how{do: letGo}, strings.Fields(test.roots)...), test.want, test.took, test.problem)
		})
	}
}

// TestServiceWithManyDependents: it starts once and ends after its last dependent.
func TestServiceWithManyDependents(t *testing.T) {
	lines, all := "~db: | sleep 1s; up 1s\n", "all:"
	for i := range 100 {
		lines += fmt.Sprintf("t%d: db | sleep %ds\n", i, 1+i%7)
		all += fmt.Sprintf(" t%d", i)
	}
	r := run(t, lines+all+" |\n", sched.Options{Limit: 8, Services: true}, nil)
	last := time.Duration(0)
	for i := range 100 {
		last = max(last, r.at[fmt.Sprintf("t%d", i)])
	}
	starts := 0
	for _, name := range r.f.order {
		if name == "db" {
			starts++
		}
	}
	if r.err != nil || starts != 1 || r.at["db"] != last+time.Second || r.settled["db"] != event.Succeeded {
		t.Errorf("error %v; db started %d times and ended at %v, %v, the last of those that need it at %v", r.err, starts, r.at["db"], r.settled["db"], last)
	}
}
