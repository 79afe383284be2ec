package command

import (
	"time"

	"github.com/weftrun/weft/engine/plan"
)

const (
	firstDelay = 500 * time.Millisecond // before the first of several consecutive restarts; doubles with each
	longest    = 30 * time.Second       // maximum delay
	settled    = 10 * time.Second       // a service that was ready for this long has left its crash loop
	// The maximum number of restarts within crashTime, if the file specifies none.
	crashes   = 5
	crashTime = time.Minute
)

// restarts decides whether and when an ended service is restarted. One that ends repeatedly is
// finally given up.
type restarts struct {
	policy      plan.Restart
	consecutive int         // consecutive restarts so far
	times       []time.Time // of the last restarts, at most crashes
}

// next records the end of the service, which was ready for some time, and returns the delay before
// the next start. looping means that it was restarted too often.
func (r *restarts) next(now time.Time, up time.Duration, failed bool) (delay time.Duration, again, looping bool) {
	if !r.applies(failed) {
		return 0, false, false
	}
	if up >= settled {
		r.consecutive, r.times = 0, nil
	}
	if r.policy.Max >= 0 {
		looping = r.consecutive >= r.policy.Max
	} else {
		looping = len(r.times) == crashes && now.Sub(r.times[0]) < crashTime
	}
	if looping {
		return 0, false, true
	}
	delay = min(firstDelay<<min(r.consecutive, 10), longest)
	r.consecutive++
	if len(r.times) == crashes {
		r.times = r.times[1:]
	}
	r.times = append(r.times, now)
	return delay, true, false
}

// applies reports whether the policy restarts a service that has ended, with or without failure.
func (r *restarts) applies(failed bool) bool {
	return r.policy.Policy == plan.RestartAlways || r.policy.Policy == plan.RestartOnFailure && failed
}
