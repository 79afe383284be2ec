package sched

import (
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

// admission decides how many steps may run. It belongs to the loop.
type admission struct {
	limit int  // without the extra ones
	hard  bool // limit is never exceeded
	extra int  // admitted over the limit
	wait  time.Duration
	since time.Time // when the wait began: the last end, or admission over the limit
	idle  func() bool
	tick  *time.Timer
	armed bool // tick is running; it may fire before the wait is over
}

func newAdmission(o *Options) admission {
	a := admission{limit: o.Limit, hard: o.Limit > 0, wait: patience, idle: o.Idle}
	if !a.hard {
		a.limit = o.Soft
		if a.limit == 0 {
			a.limit = runtime.NumCPU() + 1
		}
	}
	if a.idle == nil {
		a.idle = newLoad().idle
	}
	return a
}

// admits reports whether one more step may run beside active ones.
func (a *admission) admits(active int) bool { return active < a.limit+a.extra }

// ended notes the end of a step. The timer is not touched, since steps may end
// by the thousand while it runs.
func (a *admission) ended(now time.Time) {
	if a.hard {
		return
	}
	if a.extra > 0 {
		a.extra--
	}
	a.wait, a.since = patience, now
}

// arm starts or stops the timer: it runs while somebody waits for a slot.
func (a *admission) arm(wanted bool) {
	switch {
	case a.hard || wanted == a.armed:
	case wanted:
		a.since = time.Now()
		a.restart(a.wait)
	default:
		a.tick.Stop()
		a.armed = false
	}
}

func (a *admission) restart(d time.Duration) {
	if a.tick == nil {
		a.tick = time.NewTimer(d)
	} else {
		a.tick.Reset(d)
	}
	a.armed = true
}

// timer returns the channel that expired must be called after.
func (a *admission) timer() <-chan time.Time {
	if a.tick == nil {
		return nil
	}
	return a.tick.C
}

// expired admits one more step if the machine has room for it, or if nothing
// was admitted for long.
func (a *admission) expired() {
	waited := time.Since(a.since)
	switch {
	case waited < a.wait:
		a.restart(a.wait - waited)
		return
	case a.idle():
		a.wait = max(a.wait/2, minPatience)
	case waited >= regardless:
	default:
		a.restart(min(a.wait, regardless-waited))
		return
	}
	a.extra++
	a.since = time.Now()
	a.restart(a.wait)
}
