// Package clock provides timers that pause while the program is suspended: a limit of ten
// minutes is not used up by a night under Ctrl-Z. It does not know what the timers are for.
//
// A program that is stopped in another way (SIGSTOP, a frozen container) does not notice.
// What it waits for may have happened meanwhile. So a timer that expires much later than it
// should waits once more, for as long as it was delayed, before it calls its function.
package clock

import (
	"sort"
	"sync"
	"time"
)

// Clock makes timers that can be paused together. The zero value is running; a nil Clock
// cannot be paused. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex // guards the fields below and those of the timers
	paused bool
	timers map[*Timer]struct{} // pending
}

// Timer is a pending call. The zero value is one that has been made.
type Timer struct {
	clock     *Clock
	f         func()
	timer     *time.Timer
	at        time.Time     // when it expires, unless it is paused
	remaining time.Duration // while it is paused
	after     time.Duration // the duration it was made for
	extended  bool          // it has waited once more
}

// A timer that expires later than it should by maxDelay waits once more: at least for
// minExtension, and at most for its original duration.
const (
	maxDelay     = 10 * time.Millisecond
	minExtension = 100 * time.Millisecond
)

// AfterFunc calls f in its own goroutine after d of running time.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	if c == nil {
		return &Timer{timer: time.AfterFunc(d, f)}
	}
	t := &Timer{clock: c, f: f, remaining: d, after: d}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers == nil {
		c.timers = map[*Timer]struct{}{}
	}
	c.timers[t] = struct{}{}
	if !c.paused {
		t.start()
	}
	return t
}

// After returns a channel that receives the time after d of running time.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	c.AfterFunc(d, func() { ch <- time.Now() })
	return ch
}

// Stop cancels the call. It reports false if the call was already made or cancelled.
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

// start starts or continues t. The caller holds the clock's mutex.
func (t *Timer) start() {
	t.at = time.Now().Add(t.remaining)
	t.timer = time.AfterFunc(t.remaining, t.expire)
}

// expire makes the call, unless t was stopped, paused or extended in the meantime.
func (t *Timer) expire() {
	t.clock.mu.Lock()
	_, pending := t.clock.timers[t]
	delay := time.Since(t.at)
	due := pending && !t.clock.paused && delay >= 0
	if due && delay >= maxDelay && !t.extended {
		t.extended, due = true, false
		t.remaining = min(t.after, max(delay, minExtension))
		t.start()
	}
	if due {
		delete(t.clock.timers, t)
	}
	t.clock.mu.Unlock()
	if due {
		t.f()
	}
}

// Pause pauses the clock. A call that is due at this moment may still be made.
func (c *Clock) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused {
		return
	}
	c.paused = true
	for t := range c.timers {
		t.timer.Stop()
		t.remaining = max(0, time.Until(t.at))
	}
}

// Resume continues the clock.
func (c *Clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.paused {
		return
	}
	c.paused = false
	for t := range c.timers {
		t.start()
	}
}

// Advance lets d of running time pass at once, on a paused clock, and makes the calls that
// are due then, in order. It is for tests.
func (c *Clock) Advance(d time.Duration) {
	var due []*Timer
	c.mu.Lock()
	for t := range c.timers {
		if t.remaining -= d; t.remaining <= 0 {
			due = append(due, t)
			delete(c.timers, t)
		}
	}
	c.mu.Unlock()
	sort.Slice(due, func(i, j int) bool { return due[i].remaining < due[j].remaining })
	for _, t := range due {
		t.f()
	}
}

// Pending returns the number of pending calls. It is for tests.
func (c *Clock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
