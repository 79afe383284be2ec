package report

import (
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// board is the state that the rows show: running steps and progress of the run.
type board struct {
	started  time.Time // zero: no run
	planned  int       // number of steps known so far
	settled  int
	failed   int
	failure  string // the first step that failed
	beside   bool   // steps run concurrently
	steps    map[event.StepID]*running
	order    []*running // in order of their starts
	estimate *estimate  // nil: durations are unknown
	sampled  time.Time  // when sample was called last
}

// running is a running step.
type running struct {
	id        event.StepID
	name      string
	started   time.Time
	suspended bool        // it waits for called tasks, or a server
	stage     event.Stage // what weft does for it with a server; "": its commands run here
	feed      *feed
	service   bool
	ready     time.Time // when a service became ready; else zero
	restarts  int

	text  string // its own progress message
	value float64
	bytes int64
	rate  int64 // bytes per second
	told  time.Time
	tells bool // bytes is of its own messages, and not of samples
}

func newBoard(e Estimate) board {
	return board{steps: map[event.StepID]*running{}, estimate: newEstimate(e)}
}

// note updates b from an event.
func (b *board) note(ev event.Event) {
	switch ev := ev.(type) {
	case *event.RunStarted:
		if len(b.steps) == 0 {
			b.planned, b.settled, b.failed, b.failure, b.beside = 0, 0, 0, "", false
			b.started = ev.Time
			b.estimate.reset(ev.Tasks)
		}
	case *event.Planned:
		b.planned += ev.Steps
		b.estimate.plan(ev.Graph)
	case *event.StepStarted:
		b.begin(ev)
	case *event.CommandStarted:
		// A command with the terminal to itself runs alone.
		b.beside = b.beside || ev.Relayed
		if s := b.steps[ev.Step]; s != nil {
			s.service = s.service || ev.Service
			s.stage = ""
		}
	case *event.Suspended:
		if s := b.steps[ev.Step]; s != nil {
			s.suspended = true
		}
	case *event.Resumed:
		if s := b.steps[ev.Step]; s != nil {
			s.suspended = false
		}
	case *event.Progress:
		if s := b.steps[ev.Step]; s != nil {
			s.progress(ev)
		}
	case *event.Ready:
		if s := b.steps[ev.Step]; s != nil {
			s.service, s.ready = true, ev.Time
		}
	case *event.Restarted:
		if s := b.steps[ev.Step]; s != nil {
			s.restarts++
			s.ready = time.Time{}
		}
	case *event.StepSettled:
		b.settle(ev)
	case *event.RunFinished:
		if len(b.steps) == 0 {
			b.started = time.Time{}
		}
	}
}

// begin adds a running step.
func (b *board) begin(ev *event.StepStarted) {
	s := &running{id: ev.Step, name: shownName(ev.Task), started: ev.Time}
	b.steps[ev.Step] = s
	b.order = append(b.order, s)
	b.estimate.started(ev.Step, ev.Time)
}

func (b *board) settle(ev *event.StepSettled) {
	b.settled++
	b.estimate.settled(ev.Step)
	if s := b.steps[ev.Step]; s != nil {
		delete(b.steps, ev.Step)
		b.order = slices.DeleteFunc(b.order, func(other *running) bool { return other == s })
	}
	if ev.Outcome == event.Failed && ev.Cause == 0 {
		if b.failed++; b.failed == 1 {
			b.failure = shownName(ev.Task)
		}
	}
}

// writes records that f is the source of the step's current output.
func (b *board) writes(f *feed) {
	if s := b.steps[f.step]; s != nil {
		s.feed = f
	}
}

// progress records a progress report of the step.
func (s *running) progress(ev *event.Progress) {
	if ev.Stage != "" {
		s.stage = ev.Stage
		return
	}
	if ev.Bytes > s.bytes {
		s.measure(ev.Bytes, ev.Time)
	}
	s.text, s.value, s.bytes, s.told, s.tells = shownName(ev.Text), ev.Value, ev.Bytes, ev.Time, true
}

// measure sets the rate at which the step has come to a number of bytes.
func (s *running) measure(bytes int64, at time.Time) {
	if d := at.Sub(s.told); d > 0 && !s.told.IsZero() {
		s.rate = max(int64(float64(bytes-s.bytes)/d.Seconds()), 0)
	}
}

// sample records how much steps have written past weft, as each tells.
func (b *board) sample(now time.Time, each func(f func(step event.StepID, bytes int64))) {
	b.sampled = now
	each(func(id event.StepID, bytes int64) {
		if s := b.steps[id]; s != nil && !s.tells {
			s.measure(bytes, now)
			s.bytes, s.told = bytes, now
		}
	})
	for _, s := range b.order {
		if !s.tells && s.told != now {
			s.bytes, s.rate, s.told = 0, 0, time.Time{} // such a command has ended
		}
	}
}

// shownName returns text from outside for a row; characters that cannot be shown in a line are
// replaced.
func shownName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r >= 0x7f && r < 0xa0,
			r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069: // direction marks and line separators
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
