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

// TestSenders: a receiver starts together with its senders, is notified when the last one has
// ended, and settles before them.
func TestSenders(t *testing.T) {
	const s = time.Second
	const ok, failed, skipped, cancelled = event.Succeeded, event.Failed, event.Skipped, event.Cancelled
	for name, test := range map[string]struct {
		lines   string
		roots   string // default: all
		limit   int
		after   time.Duration // when the run is cancelled, unless 0
		want    map[string]life
		took    time.Duration
		problem string
	}{
		"one": {lines: `
			all: p |
			p>c: a | sleep 2s
			c: | drain; sleep 1s
			a: | sleep 1s`, limit: 2,
			want: map[string]life{"c": {s, 4 * s, ok}, "p": {s, 4 * s, ok}}, took: 4 * s},
		"with one slot": {lines: `
			all: p |
			p>c: | sleep 2s
			c: | drain; sleep 1s`, limit: 1,
			want: map[string]life{"c": {0, 3 * s, ok}, "p": {0, 3 * s, ok}}, took: 3 * s},
		"several": {lines: `
			all: p q |
			p>c: | sleep 1s
			q>c: | sleep 3s
			c: | drain`, limit: 9,
			want: map[string]life{"c": {0, 3 * s, ok}, "p": {0, 3 * s, ok}, "q": {0, 3 * s, ok}}, took: 3 * s},
		"a sender that is skipped": {lines: `
			all: p |
			p>c: q | sleep 1s
			q: | fail
			c: | drain`, limit: 9,
			want: map[string]life{"p": {never, 0, skipped}}, problem: `"q": failed`},
		"the sender fails": {lines: `
			all: p |
			p>c: | sleep 1s; fail
			c: | drain; sleep 1s`, limit: 9,
			want: map[string]life{"c": {0, 2 * s, ok}, "p": {0, 2 * s, failed}}, took: 2 * s, problem: `"p": failed`},
		"the receiver fails": {lines: `
			all: p |
			p>c: | sleep 2s
			c: | sleep 1s; fail`, limit: 9,
			want: map[string]life{"c": {0, s, failed}, "p": {0, 2 * s, skipped}}, took: 2 * s, problem: `"c": failed`},
		"a service": {lines: `
			all: p q |
			p>c: | sleep 1s
			q>c: p | sleep 2s
			~c: | sleep 1s; serve; drain; sleep 1s`, limit: 9,
			want: map[string]life{"c": {0, 5 * s, ok}, "p": {s, 2 * s, ok}, "q": {2 * s, 4 * s, ok}}, took: 5 * s},
		"one after the other": {lines: `
			all: | call p; call q; call p
			p>c: | sleep 1s
			q>c: | sleep 2s
			c: | drain; sleep 1s`, limit: 9,
			want: map[string]life{"c": {5 * s, 7 * s, ok}, "p": {5 * s, 7 * s, ok}, "q": {2 * s, 5 * s, ok}}, took: 7 * s},
		"joins one that has begun": {lines: `
			all: p r |
			p>c: | sleep 3s
			r: | sleep 1s; call q
			q>c: | sleep 4s
			c: | drain`, limit: 9,
			want: map[string]life{"c": {0, 5 * s, ok}, "p": {0, 5 * s, ok}, "q": {s, 5 * s, ok}}, took: 5 * s},
		"a service whose channel is closed": {lines: `
			all: r |
			r: c | call p; call p
			p>c: | sleep 1s
			~c: | serve; drain; sleep 9s`, limit: 9,
			want: map[string]life{"p": {0, s, failed}}, took: 10 * s, problem: "whose channel was closed"},
		"nobody sends": {lines: `
			c: | drain
			p>c: | sleep 1s`, roots: "c", limit: 9, after: 5 * s,
			want: map[string]life{"c": {0, 5 * s, cancelled}}, took: 5 * s, problem: "enough"},
		"cancelled": {lines: `
			all: p |
			p>c: | wait
			c: | drain; sleep 1s`, limit: 9, after: 5 * s,
			want: map[string]life{"p": {0, 5 * s, cancelled}, "c": {0, 5 * s, cancelled}}, took: 5 * s, problem: "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			var during func(context.CancelCauseFunc)
			if test.after > 0 {
				during = func(cancel context.CancelCauseFunc) {
					time.Sleep(test.after)
					cancel(errors.New("enough"))
				}
			}
			r := run(t, test.lines, sched.Options{Limit: test.limit, Services: strings.Contains(test.lines, "~")}, during, strings.Fields(test.roots)...)
			check(t, r, test.want, test.took, test.problem)
		})
	}
}
