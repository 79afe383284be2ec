package history

import (
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// A step is slower, or faster, if its time differs by more than both of these.
const (
	minRatio      = 1.2
	minDifference = 100 * time.Millisecond
)

// Change is a step that differs between two runs.
type Change struct {
	Label   string   `json:"label"`
	Task    string   `json:"task"`
	Key     string   `json:"key,omitempty"`
	Before  *Side    `json:"before,omitempty"` // nil: it was not in the first run
	After   *Side    `json:"after,omitempty"`  // nil: it was not in the second
	Reasons []string `json:"reasons,omitempty"`
}

// Side is the step in one of the two runs.
type Side struct {
	Step     event.StepID  `json:"step"`
	Outcome  string        `json:"outcome"`
	Seconds  float64       `json:"seconds"`
	duration time.Duration // of Seconds
}

// Duration returns how long the step ran.
func (s *Side) Duration() time.Duration { return s.duration }

// Diff lists the differences between two runs. Each step is in at most one list.
type Diff struct {
	New     []Change `json:"new"`
	Gone    []Change `json:"gone"`
	Outcome []Change `json:"outcome"` // different outcome
	Slower  []Change `json:"slower"`  // it succeeded in both
	Faster  []Change `json:"faster"`
}

// Compare returns the differences between the runs a and b.
func Compare(a, b *model.Run) *Diff {
	d := &Diff{New: []Change{}, Gone: []Change{}, Outcome: []Change{}, Slower: []Change{}, Faster: []Change{}}
	before := map[string]*model.Step{}
	for _, s := range a.Steps {
		before[name(s)] = s
	}
	for _, s := range b.Steps {
		old := before[name(s)]
		delete(before, name(s))
		c := Change{Label: s.Label, Task: s.Name, Key: s.Key, After: side(s), Reasons: s.Reasons}
		if old == nil {
			d.New = append(d.New, c)
			continue
		}
		c.Before = side(old)
		switch by := s.Duration - old.Duration; {
		case s.Outcome != old.Outcome:
			d.Outcome = append(d.Outcome, c)
		case s.Outcome != event.Succeeded:
		case by > minDifference && float64(s.Duration) > minRatio*float64(old.Duration):
			d.Slower = append(d.Slower, c)
		case -by > minDifference && float64(old.Duration) > minRatio*float64(s.Duration):
			d.Faster = append(d.Faster, c)
		}
	}
	for _, s := range a.Steps {
		if before[name(s)] == s {
			d.Gone = append(d.Gone, Change{Label: s.Label, Task: s.Name, Key: s.Key, Before: side(s)})
		}
	}
	return d
}

// name returns the name of a step across runs.
func name(s *model.Step) string {
	if s.Key == "" {
		return s.Label
	}
	return s.Key
}

func side(s *model.Step) *Side {
	return &Side{Step: s.ID, Outcome: s.Outcome.String(), Seconds: s.Duration.Seconds(), duration: s.Duration}
}
