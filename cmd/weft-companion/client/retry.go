package client

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = 5 * time.Second
)

// delay returns how long to wait after an attempt, which is counted from 1: a random time, so that
// clients that failed together do not come back together, of a range that doubles; or what the
// server wants.
func delay(attempt int, after time.Duration) time.Duration {
	if after > 0 {
		return after
	}
	longest := lastDelay
	if attempt < 7 {
		longest = min(firstDelay<<(attempt-1), lastDelay)
	}
	return rand.N(longest)
}

// sleep waits, and reports whether ctx was not done meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
