package ready

import (
	"context"
	"fmt"
	"time"
)

// NotAlive means that a service that was ready has failed its checks.
type NotAlive struct {
	Target   string // the target of the probe, or ""
	Seen     string // what was seen last
	Failures int    // how many checks in a row have failed
}

// Error implements error.
func (e *NotAlive) Error() string {
	seen := e.Seen
	if e.Target != "" {
		seen = e.Target + ": " + seen
	}
	if e.Failures == 1 {
		return "a check of alive failed: " + seen
	}
	return fmt.Sprintf("%d checks of alive in a row failed: %s", e.Failures, seen)
}

// Watch checks the service every Interval until Failures attempts in a row have failed, and returns
// a [*NotAlive]; or until ctx is done, and returns its cause. It returns the error of Check, too.
// An attempt that takes longer than Interval does not hold up the next, so that a service which
// hangs is found after Interval times Failures and Timeout. Neither Log nor FD can be watched.
func (p *Probe) Watch(ctx context.Context) error {
	if err := p.Check(); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	w := watch{p: p, most: max(p.Failures, 1), results: make(chan check)}
	if p.Failures <= 0 {
		w.most = 3
	}
	err := w.run(watching)
	cancel()
	for ; w.pending > 0; w.pending-- {
		<-w.results
	}
	return err
}

// watch is the state of [Probe.Watch].
type watch struct {
	p       *Probe
	most    int // attempts that may fail in a row
	results chan check
	started int // attempts that were begun
	pending int // of these, those that have not returned
	good    int // number of the latest that succeeded; 0 means none
	failed  []int
}

// check is the result of an attempt.
type check struct {
	number int // from 1, in the order of their beginnings
	err    error
}

func (w *watch) run(ctx context.Context) error {
	interval, limit := orElse(w.p.Interval, 10*time.Second), orElse(w.p.Timeout, 5*time.Second)
	tick := make(chan struct{}, 1)
	timer := w.p.Clock.AfterFunc(interval, func() { tick <- struct{}{} })
	defer func() { timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
			timer = w.p.Clock.AfterFunc(interval, func() { tick <- struct{}{} })
			if w.pending < w.most {
				w.started++
				w.pending++
				go func(number int) { w.results <- check{number, w.p.attempt(ctx, limit)} }(w.started)
			}
		case c := <-w.results:
			w.pending--
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if w.note(c) {
				return &NotAlive{w.p.Target, c.err.Error(), w.most}
			}
		}
	}
}

// note records the result of an attempt, and reports whether too many have failed since the latest
// success.
func (w *watch) note(c check) bool {
	if c.err == nil {
		w.good = max(w.good, c.number)
	} else {
		w.failed = append(w.failed, c.number)
	}
	since := w.failed[:0]
	for _, number := range w.failed {
		if number > w.good {
			since = append(since, number)
		}
	}
	w.failed = since
	return len(w.failed) >= w.most
}
