package model

import (
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// Piece is a part of the critical path.
type Piece struct {
	Step     *Step // running or waiting step; nil: weft itself, before and after all steps
	From, To time.Time
	Wait     bool           // the step waited
	For      event.Resource // what it waited for; "" if it did not wait
}

// Duration returns the length of p.
func (p *Piece) Duration() time.Duration { return p.To.Sub(p.From) }

// CriticalPath returns the pieces that account for the time of the run: in order, without gaps,
// from its start to its end. It is followed back from the step that settled last: a running step
// accounts for its own time; while it waited for a called task, that task does; before its start,
// the last of its needs does, or else the lack of a slot.
//
// Services are on it only if another step waited for one.
func (r *Run) CriticalPath() []Piece {
	w := walk{r: r, at: r.end(), seen: map[*Step]bool{}}
	last := r.last()
	if last != nil {
		w.to(nil, r.End(last), "")
	}
	for s := last; s != nil && w.at.After(r.Started) && !w.stuck(s); {
		s = w.back(s)
	}
	w.to(nil, r.Started, "")
	slices.Reverse(w.pieces)
	return w.pieces
}

func (r *Run) end() time.Time {
	if r.Finished.IsZero() {
		return r.Last
	}
	return r.Finished
}

// last returns the step that settled last. Services count only if there are no other steps.
func (r *Run) last() (last *Step) {
	for _, s := range r.Steps {
		switch {
		case s.Started.IsZero():
		case last == nil, last.Service && !s.Service:
			last = s
		case s.Service && !last.Service:
		default:
			a, b := r.End(s), r.End(last)
			if a.After(b) || a.Equal(b) && s.Started.After(last.Started) {
				last = s
			}
		}
	}
	return last
}

// walk follows the critical path back in time.
type walk struct {
	r      *Run
	at     time.Time
	pieces []Piece // the last one first

	seen map[*Step]bool // arguments of back at time when
	when time.Time      // of seen
}

// stuck reports whether the walk returns to s at the same time, which happens only in records that
// contradict themselves.
func (w *walk) stuck(s *Step) bool {
	if !w.when.Equal(w.at) {
		clear(w.seen)
		w.when = w.at
	}
	again := w.seen[s]
	w.seen[s] = true
	return again
}

// to adds a piece that begins at from.
func (w *walk) to(s *Step, from time.Time, wait event.Resource) {
	if from.Before(w.r.Started) {
		from = w.r.Started
	}
	if !from.Before(w.at) {
		return
	}
	p := Piece{Step: s, From: from, To: w.at, Wait: wait != "", For: wait}
	w.at = from
	if n := len(w.pieces); n > 0 && w.pieces[n-1].Step == s && w.pieces[n-1].For == wait {
		w.pieces[n-1].From = from
		return
	}
	w.pieces = append(w.pieces, p)
}

// over adds the pieces of s back to from: its own waiting times, and base for the rest.
func (w *walk) account(s *Step, from time.Time, base event.Resource) {
	for i := len(s.Waits) - 1; i >= 0; i-- {
		wait := s.Waits[i]
		if !wait.From.Before(w.at) {
			continue
		}
		if !wait.To.IsZero() && !wait.To.After(from) {
			break
		}
		if !wait.To.IsZero() {
			w.to(s, wait.To, base)
		}
		w.to(s, later(wait.From, from), wait.For)
	}
	w.to(s, from, base)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// back follows s back, and returns the next step, or nil.
func (w *walk) back(s *Step) *Step {
	next := len(s.Called)
	for i := len(s.Suspended) - 1; i >= 0; i-- {
		v := s.Suspended[i]
		calls := s.Called[v.called:next]
		if next = v.called; !v.From.Before(w.at) {
			continue
		}
		if to := v.To; !to.IsZero() && to.Before(w.at) {
			w.account(s, to, "")
		}
		called, ended := w.lastCalled(calls, v)
		switch {
		case called != nil:
			w.to(s, ended, event.Slot)
			return called
		case len(calls) > 0:
			w.to(s, v.From, event.Slot)
		default: // the called step is unknown
			w.to(s, v.From, "")
		}
	}
	if !s.Started.IsZero() {
		w.account(s, s.Started, "")
	}
	need, met := w.lastNeed(s)
	if !s.Planned.IsZero() && (need == nil || met.Before(s.Planned)) {
		w.account(s, s.Planned, event.Slot)
		return w.r.byID[s.Caller]
	}
	if need != nil {
		w.account(s, met, event.Slot)
	}
	return need
}

// lastCalled returns the last step to end of those called in v, and when.
func (w *walk) lastCalled(calls []event.StepID, v Interval) (last *Step, ended time.Time) {
	for _, id := range calls {
		c := w.r.byID[id]
		at := c.Settled
		if c.Service && !c.Ready.IsZero() {
			at = c.Ready
		}
		if !at.IsZero() && at.After(v.From) && !at.After(w.at) && (last == nil || at.After(ended)) {
			last, ended = c, at
		}
	}
	return last, ended
}

// lastNeed returns the need of s that was met last, and when.
func (w *walk) lastNeed(s *Step) (last *Step, met time.Time) {
	for _, n := range s.Needs {
		d := w.r.byID[n.Step]
		if d == nil {
			continue
		}
		at := d.Settled
		switch {
		case n.Until == event.UntilTogether:
			continue
		case n.Until == event.UntilStarted && !d.Started.IsZero():
			at = d.Started
		case n.Until == event.UntilReady || d.Service:
			if !d.Ready.IsZero() {
				at = d.Ready
			}
		}
		if at.IsZero() || at.After(w.at) {
			continue
		}
		if last == nil || at.After(met) {
			last, met = d, at
		}
	}
	return last, met
}

// Queued returns how long s was ready but waited for a slot or its share of a pool. It is 0 if the
// graph was not planned.
func (r *Run) Queued(s *Step) time.Duration {
	if s.Planned.IsZero() || s.Started.IsZero() {
		return 0
	}
	w := walk{r: r, at: s.Started}
	_, met := w.lastNeed(s)
	return s.Started.Sub(later(met, s.Planned))
}

// Waited returns how long s waited for resources, before its start and after it.
func (r *Run) Waited(s *Step) time.Duration {
	sum := r.Queued(s)
	for _, w := range s.Waits {
		if s.Started.IsZero() || w.From.Before(s.Started) {
			continue // it was queued
		}
		if w.To.IsZero() {
			w.To = r.End(s)
		}
		sum += w.To.Sub(w.From)
	}
	return sum
}

// Ran returns how long s ran, excluding waiting for called tasks.
func (r *Run) Ran(s *Step) time.Duration {
	if s.Started.IsZero() {
		return 0
	}
	sum := r.End(s).Sub(s.Started)
	for _, v := range s.Suspended {
		if v.To.IsZero() {
			v.To = r.End(s)
		}
		sum -= v.To.Sub(v.From)
	}
	return max(0, sum)
}
