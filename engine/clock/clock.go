// Package clock is time that stands still while the program does: a limit of ten
// minutes is not used up by a night spent under Ctrl-Z.
//
// A program that is stopped in other ways (SIGSTOP, a frozen container) is not told so.
// What its timers were for may have happened meanwhile, but it has not looked: so a timer
// that comes much later than it is due waits once more, for as long as it was late, before
// it calls.
package clock

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Clock makes timers that can all be paused. The zero value is ready to use and
// runs; a nil Clock runs always. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex // guards the fields below and those of the timers
	paused bool
	timers map[*Timer]struct{} // pending
}

// Timer is a call that is to come. The zero value is one that has come.
type Timer struct {
	clock *Clock
	f     func()
	timer *time.Timer
	at    time.Time     // when it comes, unless paused
	left  time.Duration // of it, while paused
	after time.Duration // what it was made for
	late  bool          // it has waited once more
}

// A timer is late when it comes so long after it is due; then it waits, once, at least for
// patience, and at most as long as it was made for.
const (
	lateness = 10 * time.Millisecond
	patience = 100 * time.Millisecond
)

// AfterFunc calls f in a goroutine of its own when d of running time is over.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	if c == nil {
		return &Timer{timer: time.AfterFunc(d, f)}
	}
	t := &Timer{clock: c, f: f, left: d, after: d}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers == nil {
		c.timers = map[*Timer]struct{}{}
	}
	c.timers[t] = struct{}{}
	if !c.paused {
		t.run()
	}
	return t
}

// After returns a channel that gets the time when d of running time is over.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	c.AfterFunc(d, func() { ch <- time.Now() })
	return ch
}

// Stop calls the call off and reports whether it had not come yet.
func (t *Timer) Stop() bool {
	if t.clock == nil {
		return t.timer != nil && t.timer.Stop()
	}
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if _, pending := t.clock.timers[t]; !pending {
		return false
	}
	delete(t.clock.timers, t)
	if t.timer != nil {
		t.timer.Stop()
	}
	return true
}

// run lets t go on; the clock's mutex is held.
func (t *Timer) run() {
	t.at = time.Now().Add(t.left)
	t.timer = time.AfterFunc(t.left, t.come)
}

// come makes the call, unless it was called off or put off just then.
func (t *Timer) come() {
	t.clock.mu.Lock()
	_, pending := t.clock.timers[t]
	late := time.Since(t.at)
	due := pending && !t.clock.paused && late >= 0
	if due && late >= lateness && !t.late {
		t.late, due = true, false
		t.left = min(t.after, max(late, patience))
		t.run()
	}
	if due {
		delete(t.clock.timers, t)
	}
	t.clock.mu.Unlock()
	if due {
		t.f()
	}
}

// Pause stops time. What is due at this moment may still come.
func (c *Clock) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused {
		return
	}
	c.paused = true
	for t := range c.timers {
		t.timer.Stop()
		t.left = max(0, time.Until(t.at))
	}
}

// Resume lets time go on from where it was.
func (c *Clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		return
	}
	c.paused = false
	for t := range c.timers {
		t.run()
	}
}

// Advance lets d of running time pass at once, on a clock that is paused: what is
// due then comes, in the order of its time. It is for tests.
func (c *Clock) Advance(d time.Duration) {
	var due []*Timer
	c.mu.Lock()
	for t := range c.timers {
		if t.left -= d; t.left <= 0 {
			due = append(due, t)
			delete(c.timers, t)
		}
	}
	c.mu.Unlock()
	slices.SortFunc(due, func(a, b *Timer) int { return cmp.Compare(a.left, b.left) })
	for _, t := range due {
		t.f()
	}
}

// Pending returns how many calls are to come. It is for tests.
func (c *Clock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
