package report

import (
	"strconv"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Settled shows the outcome of each step in one line. Lines never change, so they suit screen
// readers and log files.
type Settled struct {
	m       messages
	planned int
	settled int
}

// NewSettled returns a Settled.
func NewSettled(o Options) *Settled { return &Settled{m: newMessages(o)} }

// Wants implements Reporter. The default events suffice.
func (s *Settled) Wants() event.Wants { return event.Wants{} }

// Handle implements Reporter.
func (s *Settled) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		release(ev)
	case *event.RunStarted:
		s.planned, s.settled = 0, 0
	case *event.Planned:
		s.planned += ev.Steps
	case *event.StepSettled:
		s.settled++
		how, color := ev.Outcome.String(), Green
		switch ev.Outcome {
		case event.Fresh:
			how = "is up to date"
		case event.Restored:
			how = "was restored from the cache"
		case event.Skipped, event.Cancelled:
			how, color = "was "+how, Yellow
		case event.Failed:
			color = Red
		}
		if ev.Duration >= time.Second {
			how += " after " + short(ev.Duration)
		}
		s.m.say(s.m.o.Stderr, color, "%s %q %s", strconv.Itoa(s.settled)+"/"+strconv.Itoa(max(s.planned, s.settled)), ev.Task, how)
	}
}

// Err implements Reporter.
func (s *Settled) Err() error { return s.m.Err() }

// Close implements Reporter.
func (s *Settled) Close() error { return s.m.Err() }
