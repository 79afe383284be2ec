package sched

import (
	"cmp"
	"runtime"
	"time"
)

// The soft limit. Files rely on everything running at once (three development
// servers as needs), and machines suffer from it (500 compilers). So:
//
//   - CPUs + 1 steps run without further ado;
//   - when no step has ended for patience, one more is admitted if a CPU was
//     idle in that time, each further one in a row after half the wait, down
//     to minPatience;
//   - one more is admitted every regardless, whatever the load;
//   - a step's end resets the wait and takes one over-admitted slot away.
//
// So long-running steps never hold others back, and short ones never make
// thousands of processes.
const (
	patience    = 25 * time.Millisecond
	minPatience = 3 * time.Millisecond
	regardless  = 250 * time.Millisecond
)

// slots decide how many steps may run. They belong to the loop.
type slots struct {
	limit int // without the extra ones
	taken int
	lent  int  // of those taken: by gangs with a member that waits for a call
	hard  bool // limit is never exceeded
	extra int  // admitted over the limit
	wait  time.Duration
	since time.Time // when the wait began: the last end, or admission over the limit
	idle  func() bool
	tick  *time.Timer
	armed bool // tick is running; it may fire before the wait is over
}

func newSlots(o *Options) slots {
	s := slots{limit: o.Limit, hard: o.Limit > 0, wait: patience, idle: o.Idle}
	if !s.hard {
		s.limit = cmp.Or(o.Soft, runtime.NumCPU()+1)
	}
	if s.idle == nil {
		s.idle = newLoad().idle
	}
	return s
}

// cost is how many slots steps hold together whose weights come to running, and as
// many as to suspended while they wait for calls: no more than there are, so that
// what weighs more than the limit runs alone; and a suspended step always leaves
// its own to those it waits for.
func (s *slots) cost(running, suspended int32) int {
	return max(0, min(int(running+suspended), s.limit)-int(suspended))
}

// admits reports whether so many slots are free. What waits for a call may wait for just
// these: when nothing else holds any they are always free.
func (s *slots) admits(more int) bool {
	return more == 0 || s.taken == s.lent || s.taken+more <= s.limit+s.extra
}

// share is what steps hold together.
type share struct {
	slots   int
	waiting bool // one of them waits for a call
}

func (s *slots) take(h share) {
	s.taken += h.slots
	if h.waiting {
		s.lent += h.slots
	}
}

func (s *slots) free(h share) { s.take(share{-h.slots, h.waiting}) }

// ended notes the end of a step. The timer is not touched, since steps may end
// by the thousand while it runs.
func (s *slots) ended(now time.Time) {
	if s.hard {
		return
	}
	if s.extra > 0 {
		s.extra--
	}
	s.wait, s.since = patience, now
}

// arm starts or stops the timer: it runs while somebody waits for a slot.
func (s *slots) arm(wanted bool) {
	switch {
	case s.hard || wanted == s.armed:
	case wanted:
		s.since = time.Now()
		s.restart(s.wait)
	default:
		s.tick.Stop()
		s.armed = false
	}
}

func (s *slots) restart(d time.Duration) {
	if s.tick == nil {
		s.tick = time.NewTimer(d)
	} else {
		s.tick.Reset(d)
	}
	s.armed = true
}

// timer returns the channel that expired must be called after.
func (s *slots) timer() <-chan time.Time {
	if s.tick == nil {
		return nil
	}
	return s.tick.C
}

// expired admits one more step if the machine has room for it, or if nothing
// was admitted for long.
func (s *slots) expired() {
	waited := time.Since(s.since)
	switch {
	case waited < s.wait:
		s.restart(s.wait - waited)
		return
	case s.idle():
		s.wait = max(s.wait/2, minPatience)
	case waited >= regardless:
	default:
		s.restart(min(s.wait, regardless-waited))
		return
	}
	s.extra++
	s.since = time.Now()
	s.restart(s.wait)
}
