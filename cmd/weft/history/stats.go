package history

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// SlowStep is the duration of a step over many runs.
type SlowStep struct {
	Label    string  `json:"label"`
	Task     string  `json:"task"`
	Key      string  `json:"key,omitempty"`
	Median   float64 `json:"median_seconds"` // of the successful runs
	Worst    float64 `json:"worst_seconds"`
	Runs     int     `json:"runs"`     // in which it was neither skipped nor cancelled
	Cached   float64 `json:"cached"`   // share of these runs in which it was up to date, 0 to 1
	Critical float64 `json:"critical"` // share of the critical path of these runs, 0 to 1
}

// FlakyStep is a step that succeeded and failed without a visible reason.
type FlakyStep struct {
	Label     string `json:"label"`
	Task      string `json:"task"`
	Key       string `json:"key,omitempty"`
	Runs      int    `json:"runs"`    // in which it ran
	Retried   []int  `json:"retried"` // runs in which it succeeded after a failed attempt
	Differing []int  `json:"both"`    // runs with an outcome different from another run with the same inputs
}

// Stats are statistics of the steps of many runs. The zero Stats is empty.
type Stats struct {
	steps map[string]*stepStats
	order []*stepStats // in order of their first run
}

// stepStats are the statistics of the steps with one name.
type stepStats struct {
	label, task, key string
	runs, ran        int
	cached           int
	times            []time.Duration
	critical, whole  time.Duration
	retried          []int
	outcomes         map[string]*ends // by fingerprint
}

// ends are the runs in which a step with one fingerprint succeeded, and failed.
type ends struct{ succeeded, failed []int }

// Add adds a run with a number.
func (s *Stats) Add(number int, run *model.Run) {
	if s.steps == nil {
		s.steps = map[string]*stepStats{}
	}
	critical := map[*model.Step]time.Duration{}
	for _, p := range run.CriticalPath() {
		if p.Step != nil {
			critical[p.Step] += p.Duration()
		}
	}
	seen := map[*stepStats]bool{}
	for _, step := range run.Steps {
		if step.Service {
			continue
		}
		name, _, _ := strings.Cut(name(step), "#") // identical steps of a run count as one
		t := s.steps[name]
		if t == nil {
			t = &stepStats{label: step.Label, task: step.Name, key: step.Key, outcomes: map[string]*ends{}}
			t.key, _, _ = strings.Cut(step.Key, "#")
			s.steps[name] = t
			s.order = append(s.order, t)
		}
		if t.add(number, step) && !seen[t] {
			seen[t] = true
			t.whole += run.Last.Sub(run.Started)
		}
		t.critical += critical[step]
	}
}

// add adds a step of a run, and reports whether it counts.
func (t *stepStats) add(number int, s *model.Step) bool {
	switch s.Outcome {
	case event.Fresh, event.Restored:
		t.cached++
	case event.Succeeded, event.Failed:
		t.ran++
	default:
		return false
	}
	t.runs++
	if s.Outcome == event.Succeeded {
		t.times = append(t.times, s.Duration)
	}
	if s.Flaky() {
		t.retried = append(t.retried, number)
	}
	if s.Fingerprint == "" {
		return true
	}
	e := t.outcomes[s.Fingerprint]
	if e == nil {
		e = new(ends)
		t.outcomes[s.Fingerprint] = e
	}
	switch {
	case s.Outcome == event.Succeeded:
		e.succeeded = append(e.succeeded, number)
	case s.Root():
		e.failed = append(e.failed, number)
	}
	return true
}

// Slowest returns the steps that succeeded, the slowest first.
func (s *Stats) Slowest() []SlowStep {
	all := []SlowStep{}
	for _, t := range s.order {
		if len(t.times) == 0 {
			continue
		}
		sort.Slice(t.times, func(i, j int) bool { return t.times[i] < t.times[j] })
		n := len(t.times)
		one := SlowStep{Label: t.label, Task: t.task, Key: t.key, Runs: t.runs, Cached: float64(t.cached) / float64(t.runs),
			Median: ((t.times[(n-1)/2] + t.times[n/2]) / 2).Seconds(), Worst: t.times[n-1].Seconds()}
		if t.whole > 0 {
			one.Critical = float64(t.critical) / float64(t.whole)
		}
		all = append(all, one)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Median > all[j].Median })
	return all
}

// Flaky returns the flaky steps, the most often flaky first.
func (s *Stats) Flaky() []FlakyStep {
	all := []FlakyStep{}
	for _, t := range s.order {
		one := FlakyStep{Label: t.label, Task: t.task, Key: t.key, Runs: t.ran, Retried: distinct(t.retried), Differing: []int{}}
		for _, e := range t.outcomes {
			if len(e.succeeded) > 0 && len(e.failed) > 0 {
				one.Differing = append(append(one.Differing, e.succeeded...), e.failed...)
			}
		}
		if one.Differing = distinct(one.Differing); len(one.Retried)+len(one.Differing) > 0 {
			all = append(all, one)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		return len(all[i].Retried)+len(all[i].Differing) > len(all[j].Retried)+len(all[j].Differing)
	})
	return all
}

// distinct returns the sorted numbers without repetition.
func distinct(all []int) []int {
	all = append([]int{}, all...)
	slices.Sort(all)
	return slices.Compact(all)
}
