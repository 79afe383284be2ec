package history

import (
	"cmp"
	"sort"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
)

// Step describes a step of a recorded run.
type Step struct {
	Step     event.StepID `json:"step"`
	Task     string       `json:"task"`
	Label    string       `json:"label"`
	Key      string       `json:"key,omitempty"`
	Position string       `json:"position,omitempty"`
	Outcome  string       `json:"outcome"` // "" if it has not settled
	Cause    event.StepID `json:"cause,omitempty"`
	Code     int          `json:"code,omitempty"`
	Signal   string       `json:"signal,omitempty"`
	Error    string       `json:"error,omitempty"`
	Attempts int          `json:"attempts,omitempty"` // highest number of attempts of a command, if one was retried
	Started  *time.Time   `json:"started,omitempty"`  // nil if it has not started
	Seconds  float64      `json:"seconds"`
	Queued   float64      `json:"queued_seconds"` // waiting time after its needs were met
	CPU      float64      `json:"cpu_seconds"`
	MaxRSS   int64        `json:"max_rss,omitempty"`
	Reasons  []string     `json:"reasons,omitempty"` // why it ran
	Critical bool         `json:"critical"`          // it is on the critical path
}

// Piece is a part of the critical path.
type Piece struct {
	Step    event.StepID   `json:"step"` // 0 for weft itself
	Label   string         `json:"label"`
	Seconds float64        `json:"seconds"`
	For     event.Resource `json:"waits_for,omitempty"` // it waited
}

// Detail is one run with its steps.
type Detail struct {
	*Entry
	ParentStep event.StepID `json:"parent_step,omitempty"`
	Argv       []string     `json:"argv"`
	Dir        string       `json:"dir,omitempty"`
	Root       string       `json:"root,omitempty"`
	Weft       string       `json:"weft,omitempty"`
	CI         string       `json:"ci,omitempty"`
	Problems   []string     `json:"problems,omitempty"` // why it failed, as in messages
	All        []Step       `json:"steps"`              // in order of their first event
	Critical   []Piece      `json:"critical_path"`      // in order of time; the durations add up to that of the run
}

// NewDetail returns the details of a run.
func NewDetail(e *Entry, run *model.Run) *Detail {
	d := &Detail{Entry: e, ParentStep: run.ParentStep, Argv: run.Argv, Dir: run.Dir, Root: run.Root, Weft: run.Weft, CI: run.CI}
	if d.Argv == nil {
		d.Argv = []string{}
	}
	for _, p := range run.Problems {
		d.Problems = append(d.Problems, p.Text)
	}
	critical := map[*model.Step]bool{}
	d.Critical = []Piece{}
	for _, p := range run.CriticalPath() {
		piece := Piece{Label: "weft", Seconds: p.Duration().Seconds(), For: p.For}
		if p.Step != nil {
			piece.Step, piece.Label = p.Step.ID, p.Step.Label
			critical[p.Step] = true
		}
		d.Critical = append(d.Critical, piece)
	}
	d.All = make([]Step, len(run.Steps))
	for i, s := range run.Steps {
		d.All[i] = newStep(run, s)
		d.All[i].Critical = critical[s]
	}
	return d
}

func newStep(run *model.Run, s *model.Step) Step {
	to := Step{Step: s.ID, Task: s.Name, Label: s.Label, Key: s.Key, Outcome: s.Outcome.String(), Cause: s.Cause, Code: s.Code, Signal: s.Signal, Error: cmp.Or(s.Err.Reason, s.Err.Text),
		Seconds: s.Duration.Seconds(), CPU: (s.Usage.User + s.Usage.System).Seconds(), MaxRSS: s.Usage.MaxRSS, Reasons: s.Reasons}
	if s.Pos.IsValid() {
		to.Position = s.Pos.String()
	}
	if n := len(s.Attempts); n > 0 {
		for _, a := range s.Attempts {
			to.Attempts = max(to.Attempts, a.Attempt+1)
		}
	}
	if !s.Started.IsZero() {
		to.Started = &s.Started
		to.Queued = queued(run, s).Seconds()
		if s.Settled.IsZero() {
			to.Seconds = run.Last.Sub(s.Started).Seconds()
		}
	}
	return to
}

// queued returns how long a step waited to start although its needs were met.
func queued(run *model.Run, s *model.Step) (d time.Duration) {
	for _, w := range s.Waits {
		to := w.To
		if to.IsZero() || to.After(s.Started) {
			to = s.Started
		}
		d += max(0, to.Sub(w.From))
	}
	return d
}

// Failed returns the root failures, in order of time.
//
//go:noinline
func (d *Detail) Failed() (all []*Step) {
	for i := range d.All {
		if s := &d.All[i]; s.Outcome == event.Failed.String() && s.Cause == 0 {
			all = append(all, s)
		}
	}
	return all
}

// Slowest returns the n steps that ran longest, the slowest first, without services.
func (d *Detail) Slowest(n int) []*Step {
	all := make([]*Step, 0, len(d.All))
	for i := range d.All {
		if s := &d.All[i]; s.Started != nil && s.Seconds > 0 {
			all = append(all, s)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Seconds > all[j].Seconds })
	return all[:min(n, len(all))]
}
