package client

import (
	"sync"
	"time"
)

const (
	breakAfter  = 5                // failures
	breakWithin = 30 * time.Second // of the first of them
	breakFor    = 30 * time.Second // no calls are made
	breakLast   = 3                // the time that it opens for good
	// together is how close to each other failures may be to count as one: a lost connection fails all
	// calls that are under way.
	together = 20 * time.Millisecond
)

// breaker decides whether calls are made at all. A server that keeps failing is left alone for a
// while, then tried with one call, and given up the third time:
//
//	        5 failures within 30 s               30 s later
//	closed ────────────────────────▶ open ──────────────────▶ probing
//	   ▲                             │  ▲ ──▶ off (3rd time)   │    │
//	   │                             └──┼──────────────────────┘    │
//	   └────────────────────────────────┴───── it succeeds ─────────┘
//
// Its methods may be called concurrently; the zero breaker is closed.
type breaker struct {
	mu       sync.Mutex // guards the fields below
	state    breakerState
	epoch    int         // changes with state: results of older calls do not count
	failures []time.Time // while closed, those within breakWithin
	until    time.Time   // while open
	opened   int         // how often
}

type breakerState uint8

const (
	closed breakerState = iota
	open
	probing
	off
)

// verdict is what a call says about the server.
type verdict uint8

const (
	nothing verdict = iota // it was ended by us
	works
	fails
	gone // there is not even a connection
)

// enter reports whether a call may be made. If so, its result must be told to leave, with epoch.
func (b *breaker) enter() (epoch int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case closed:
		return b.epoch, true
	case open:
		if !time.Now().Before(b.until) {
			b.change(probing)
			return b.epoch, true
		}
	}
	return 0, false
}

// leave takes note of a call's result. It reports whether the breaker has opened because of it.
func (b *breaker) leave(epoch int, v verdict) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch || b.state == off {
		return false
	}
	now := time.Now()
	switch {
	case v == works && b.state == probing:
		b.failures = nil
		b.change(closed)
	case v == nothing && b.state == probing:
		b.change(open) // and until is over: another call may try
	case v == gone, v == fails && b.state == probing:
		return b.open(now)
	case v == fails:
		for len(b.failures) > 0 && now.Sub(b.failures[0]) > breakWithin {
			b.failures = b.failures[1:]
		}
		if n := len(b.failures); n > 0 && now.Sub(b.failures[n-1]) < together {
			break
		}
		if b.failures = append(b.failures, now); len(b.failures) >= breakAfter {
			return b.open(now)
		}
	}
	return false
}

// open opens the breaker. The caller holds mu.
func (b *breaker) open(now time.Time) bool {
	b.failures = nil
	b.until = now.Add(breakFor)
	b.change(open)
	if b.opened++; b.opened == breakLast {
		b.change(off)
	}
	return true
}

func (b *breaker) change(s breakerState) {
	b.state = s
	b.epoch++
}

// isOff reports whether no call will be made any more.
func (b *breaker) isOff() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == off
}
