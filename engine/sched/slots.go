package sched

import (
	"cmp"
	"runtime"
	"time"
)

// The soft limit. Files rely on everything running at once (three development servers as needs),
// and machines suffer from it (500 compilers). So:
//
//   - CPUs + 2 steps run unconditionally, as in ninja: while one is between two programs and
//     another one waits for its files, the CPUs are busy;
//   - when no step has ended for patience, one more is admitted if a CPU was
//     idle in that time, each further one in a row after half the wait, down
//     to minPatience;
//   - one more is admitted every regardless, whatever the load;
//   - a step's end resets the wait and takes one over-admitted slot away.
//
// So long-running steps never hold others back, and short ones never make thousands of processes.
const (
	patience    = 25 * time.Millisecond
	minPatience = 3 * time.Millisecond
	regardless  = 250 * time.Millisecond
)

// slots counts the running steps and decides how many may run. It belongs to the loop.
type slots struct {
	limit int // without the extra ones
	taken int
	lent  int  // part of taken: by gangs with a member that waits for a call
	hard  bool // limit is never exceeded
	extra int  // admitted over the limit
	wait  time.Duration
	since time.Time // start of the wait: the last end, or admission over the limit
	idle  func() bool
	tick  *time.Timer
	armed bool // tick is running; it may fire before the wait is over
}

func newSlots(o *Options) slots {
	s := slots{limit: o.Limit, hard: o.Limit > 0, wait: patience, idle: o.CPUIdle}
	if !s.hard {
		s.limit = cmp.Or(o.SoftLimit, runtime.NumCPU()+2)
	}
	if s.idle == nil {
		s.idle = newLoad().idle
	}
	return s
}

// cost returns the number of slots that steps with a total weight of running hold together, of
// which suspended more wait for calls: at most limit, so that a larger weight runs alone; and a
// suspended step always leaves its own to those it waits for.
func (s *slots) cost(running, suspended int32) int {
	return max(0, min(int(running+suspended), s.limit)-int(suspended))
}

// admits reports whether more slots are free. A step that waits for a call may wait for just these:
// when nothing else holds any they are always free.
func (s *slots) admits(more int) bool {
	return more == 0 || s.taken == s.lent || s.taken+more <= s.limit+s.extra
}

// share is the weight of steps together.
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

// stepEnded records the end of a step. It does not touch the timer, because many steps may end
// before it fires.
func (s *slots) stepEnded(now time.Time) {
	if s.hard {
		return
	}
	if s.extra > 0 {
		s.extra--
	}
	s.wait, s.since = patience, now
}

// arm starts or stops the timer: it runs while a step waits for a slot.
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

// timer returns the channel after which expired must be called.
func (s *slots) timer() <-chan time.Time {
	if s.tick == nil {
		return nil
	}
	return s.tick.C
}

// expired admits one more step if the machine is not busy, or if none was admitted for long.
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
