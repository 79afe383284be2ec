package report

import (
	"sort"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Estimate provides durations of earlier runs.
type Estimate interface {
	// Duration returns the typical duration of the step with a key; 0 if unknown.
	Duration(key string) time.Duration
	// Steps returns the number of steps of the last successful run of tasks; 0 if unknown.
	Steps(tasks []string) int
}

const (
	estimateAfter    = 2 * time.Second // no estimate is shown before this
	estimateInterval = time.Second     // minimum interval between computations
)

// estimate predicts the end of a run from its known steps. A nil estimate predicts nothing.
type estimate struct {
	of       Estimate
	tasks    []string // tasks of the command line; nil once expected is known
	expected int      // number of steps of the run; see total
	steps    map[event.StepID]*expected
	order    []*expected // needs come first
	changed  bool

	known bool
	end   time.Time // the estimate; computed at at
	at    time.Time
}

// expected is the state of a step for an estimate.
type expected struct {
	key     string
	takes   time.Duration // 0: unknown
	needs   []*expected
	start   time.Time // zero: not started
	settled bool
	after   time.Duration // time until it ends, including the steps it waits for
}

func newEstimate(of Estimate) *estimate {
	if of == nil {
		return nil
	}
	return &estimate{of: of}
}

// reset begins a run of tasks.
func (e *estimate) reset(tasks []string) {
	if e != nil {
		*e = estimate{of: e.of, tasks: tasks, steps: map[event.StepID]*expected{}}
	}
}

// plan adds steps.
func (e *estimate) plan(graph []event.PlannedStep) {
	if e == nil || e.steps == nil {
		return
	}
	e.changed = true
	for i := range graph {
		g := &graph[i]
		if g.Service || e.steps[g.Step] != nil {
			continue
		}
		x := &expected{key: g.Key}
		for _, n := range g.Needs {
			if need := e.steps[n.Step]; need != nil && (n.Until == event.UntilSucceeded || n.Until == event.UntilEnded) {
				x.needs = append(x.needs, need)
			}
		}
		e.steps[g.Step] = x
		e.order = append(e.order, x)
	}
}

func (e *estimate) started(id event.StepID, at time.Time) {
	if e != nil && e.steps[id] != nil {
		e.steps[id].start = at
	}
}

func (e *estimate) settled(id event.StepID) {
	if e != nil && e.steps[id] != nil {
		e.steps[id].settled, e.changed = true, true
	}
}

// total returns the expected number of steps; 0 if unknown. The history is read only on the first
// call, which a short run never makes.
func (e *estimate) total() int {
	if e == nil {
		return 0
	}
	if e.tasks != nil {
		e.expected, e.tasks = e.of.Steps(e.tasks), nil
	}
	return e.expected
}

// left returns the remaining duration of the run with the given number of concurrent steps.
func (e *estimate) left(now time.Time, running int) (left time.Duration, known bool) {
	if e == nil || len(e.order) == 0 {
		return 0, false
	}
	if e.changed && now.Sub(e.at) >= estimateInterval {
		left, e.known = e.compute(now, running)
		e.end, e.at, e.changed = now.Add(left), now, false
	}
	return max(e.end.Sub(now), 0), e.known && e.end.After(now)
}

// compute returns the longer of two times: that of the longest chain of remaining steps, and that
// of all remaining steps shared among the concurrent ones.
func (e *estimate) compute(now time.Time, running int) (left time.Duration, known bool) {
	var durations []time.Duration
	open, unknown := 0, 0
	for _, x := range e.order {
		if x.key != "" {
			x.takes, x.key = e.of.Duration(x.key), ""
		}
		if x.takes > 0 {
			durations = append(durations, x.takes)
		}
		if !x.settled {
			open++
			if x.takes == 0 {
				unknown++
			}
		}
	}
	if len(durations) == 0 || 2*unknown > open {
		return 0, false
	}
	sort.Slice(durations, func(i, j int) bool { return durations[i] < durations[j] })
	median := durations[len(durations)/2]
	var chain, work time.Duration
	for _, x := range e.order {
		x.after = 0
		if x.settled {
			continue
		}
		for _, n := range x.needs {
			x.after = max(x.after, n.after)
		}
		takes := x.takes
		if takes == 0 {
			takes = median
		}
		if !x.start.IsZero() {
			takes = max(takes-now.Sub(x.start), 0)
		}
		x.after += takes
		work += takes
		chain = max(chain, x.after)
	}
	work += time.Duration(max(e.total()-len(e.order), 0)) * median
	return max(chain, work/time.Duration(max(running, 1))), true
}

// rounded rounds an estimate to its meaningful digits.
func rounded(d time.Duration) time.Duration {
	step := 5 * time.Second
	switch {
	case d > 10*time.Minute:
		step = time.Minute
	case d > time.Minute:
		step = 15 * time.Second
	}
	return max(d.Round(step), step)
}
