package model

import (
	"sort"
	"strconv"
	"time"
)

// Slice is an interval in which a step ran.
type Slice struct {
	Step     *Step
	Part     int // number of the slice within the step, from 1: a step that waits for a called task continues in the next
	Lane     int // from 0
	From, To time.Time
}

// Name returns the step's label, followed by the number of the slice from the second on.
func (s *Slice) Name() string {
	if s.Part == 1 {
		return s.Step.Label
	}
	return s.Step.Label + " (" + strconv.Itoa(s.Part) + ")"
}

// Slots returns the slices of all steps that ran, in order of time. Those in slots hold a slot,
// each in the lowest lane that is free when it begins; services are in lanes of their own. Slices
// of one lane do not overlap.
func (r *Run) Slots() (slots, services []Slice) {
	for _, s := range r.Steps {
		switch {
		case s.Started.IsZero():
		case s.Service:
			services = append(services, Slice{Step: s, Part: 1, Lane: len(services), From: s.Started, To: r.End(s)})
		default:
			slots = r.cut(slots, s)
		}
	}
	sort.SliceStable(slots, func(i, j int) bool { return slots[i].From.Before(slots[j].From) })
	var l Lanes
	for i := range slots {
		slots[i].Lane = l.Take(slots[i].From.UnixMicro(), slots[i].To.UnixMicro())
	}
	return slots, services
}

// Lanes allocates lanes. The zero Lanes has none.
type Lanes struct {
	n    int
	busy []lane // a heap by until
	free []lane // a heap by number
}

type lane struct {
	number int
	until  int64 // end of its slice
}

// Take reserves the lowest free lane in the interval from..to and returns it. from must not
// decrease between calls.
func (l *Lanes) Take(from, to int64) int {
	for len(l.busy) > 0 && l.busy[0].until <= from {
		push(&l.free, pop(&l.busy, sooner), lower)
	}
	number := l.n
	if len(l.free) > 0 {
		number = pop(&l.free, lower).number
	} else {
		l.n++
	}
	push(&l.busy, lane{number, to}, sooner)
	return number
}

// Len returns the number of lanes.
func (l *Lanes) Len() int { return l.n }

func sooner(a, b lane) bool { return a.until < b.until }

func lower(a, b lane) bool { return a.number < b.number }

// push adds x to a heap.
func push(h *[]lane, x lane, before func(a, b lane) bool) {
	*h = append(*h, x)
	for a, i := *h, len(*h)-1; i > 0 && before(a[i], a[(i-1)/2]); i = (i - 1) / 2 {
		a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
	}
}

// pop removes the first element of a heap.
func pop(h *[]lane, before func(a, b lane) bool) lane {
	a := *h
	first, n := a[0], len(a)-1
	a[0] = a[n]
	a = a[:n]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if before(a[child], a[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		a[i], a[least], i = a[least], a[i], least
	}
	*h = a
	return first
}

// cut appends the slices of s.
func (r *Run) cut(to []Slice, s *Step) []Slice {
	from, part := s.Started, 1
	for _, v := range s.Suspended {
		to = append(to, Slice{Step: s, Part: part, From: from, To: later(v.From, from)})
		if v.To.IsZero() {
			return to // it never continued
		}
		from, part = later(v.To, from), part+1
	}
	return append(to, Slice{Step: s, Part: part, From: from, To: later(r.End(s), from)})
}
