package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// recordedTimes are durations by key.
type recordedTimes map[string]time.Duration

func (r recordedTimes) Duration(key string) time.Duration { return r[key] }
func (r recordedTimes) Steps([]string) int                { return len(r) }

// TestEstimate compares the estimate with a naive one on random graphs in random states.
func TestEstimate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1e9, 0)
	for range 200 {
		n := 1 + r.IntN(12)
		times := recordedTimes{}
		var graph []event.PlannedStep
		for i := 1; i <= n; i++ {
			key := fmt.Sprint("key", i)
			times[key] = time.Duration(1+r.IntN(100)) * time.Second
			g := event.PlannedStep{Step: event.StepID(i), Key: key}
			for need := 1; need < i; need++ {
				if r.IntN(3) == 0 {
					g.Needs = append(g.Needs, event.Need{Step: event.StepID(need), Until: event.UntilSucceeded})
				}
			}
			graph = append(graph, g)
		}
		e := newEstimate(times)
		e.reset([]string{"t"})
		e.plan(graph)
		left, settled := map[event.StepID]time.Duration{}, map[event.StepID]bool{}
		var work time.Duration
		for _, g := range graph {
			takes := times[g.Key]
			startable := !slices.ContainsFunc(g.Needs, func(n event.Need) bool { return !settled[n.Step] })
			switch n := r.IntN(3); {
			case !startable:
			case n == 0:
				e.settled(g.Step)
				takes, settled[g.Step] = 0, true
			case n == 1:
				ago := time.Duration(r.IntN(100)) * time.Second
				e.started(g.Step, now.Add(-ago))
				takes = max(takes-ago, 0)
			}
			left[g.Step] = takes
			work += takes
		}
		var chain func(id event.StepID) time.Duration
		chain = func(id event.StepID) (longest time.Duration) {
			for _, need := range graph[id-1].Needs {
				longest = max(longest, chain(need.Step))
			}
			return longest + left[id]
		}
		var want time.Duration
		for _, g := range graph {
			if left[g.Step] > 0 {
				want = max(want, chain(g.Step))
			}
		}
		slots := 1 + r.IntN(4)
		want = max(want, work/time.Duration(slots))
		if got, known := e.left(now, slots); got != want || known != (want > 0) {
			t.Errorf("%v: %v, %t; not %v", graph, got, known, want)
		}
	}
}

// TestEstimateUnknown: durations of less than half of the steps give no estimate; those of more are
// extrapolated.
func TestEstimateUnknown(t *testing.T) {
	now := time.Unix(1e9, 0)
	graph := []event.PlannedStep{{Step: 1, Key: "a"}, {Step: 2, Key: "b"}, {Step: 3, Key: "c"}, {Step: 4, Key: "service", Service: true}}
	for _, c := range []struct {
		times recordedTimes
		want  time.Duration
	}{
		{recordedTimes{}, 0},
		{recordedTimes{"a": time.Minute}, 0},
		{recordedTimes{"a": time.Minute, "b": 2 * time.Minute}, 5 * time.Minute},
		{recordedTimes{"a": time.Minute, "b": 2 * time.Minute, "x": 1, "y": 1, "z": 1}, 9 * time.Minute},
	} {
		e := newEstimate(c.times)
		e.reset([]string{"t"})
		e.plan(graph)
		if got, known := e.left(now, 1); got != c.want || known != (c.want > 0) {
			t.Errorf("%v: %v, %t; not %v", c.times, got, known, c.want)
		}
	}
	var none *estimate
	none.reset(nil)
	none.plan(graph)
	if _, known := none.left(now, 1); known || none.total() != 0 {
		t.Error("something is known without a history")
	}
}

func TestAmounts(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m00s", 72 * time.Second: "1m12s", 3599 * time.Second: "59m59s", 125 * time.Minute: "2h05m", 100 * time.Hour: "100h00m",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 10: "10 KiB", 310 << 20: "310 MiB", 1288490189: "1.2 GiB", 1<<20 - 1: "1.0 MiB", 1<<63 - 1: "8.0 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q, not %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]time.Duration{
		time.Second: 5 * time.Second, 52 * time.Second: 50 * time.Second, 70 * time.Second: 75 * time.Second, 11*time.Minute + 40*time.Second: 12 * time.Minute,
	} {
		if got := rounded(d); got != want {
			t.Errorf("%v is rounded to %v, not %v", d, got, want)
		}
	}
}
