package engine

import "time"

// TickPause is the minimum interval between two calls of Options.Tick.
const TickPause = 100 * time.Millisecond

const (
	drainPause = 5 * time.Millisecond // minimum interval between two calls of Options.Drained
	idlePause  = time.Second          // interval of calls of Options.Tick without events
	idleTicks  = 5                    // number of ticks without an event after which idlePause applies
)

// pause is the work of a [queue]'s goroutine between events: it calls Tick, and Drained when no
// more events are pending. Only that goroutine uses it.
type pause struct {
	tick    func(now time.Time) // may be nil
	drained func()              // may be nil
	wake    func()              // wakes the goroutine; called by another one

	held        bool      // drained must be called
	lastDrained time.Time // time of the last call of drained
	ticked      time.Time // time of the last call of tick
	idle        int       // ticks since the last event
	timer       *time.Timer
	until       time.Time // when the timer calls wake; zero: never
}

// needed reports whether there are functions to call.
func (p *pause) needed() bool { return p.tick != nil || p.drained != nil }

// act makes the calls that are due. events means that the sink has received events since the last
// call, empty that no more are pending; wake is called when the next call is due.
func (p *pause) act(now time.Time, events, empty bool) {
	var next time.Time
	if p.held = p.held || events; p.held && empty && p.drained != nil {
		if next = p.lastDrained.Add(drainPause); !now.Before(next) {
			p.drain(now)
			next = time.Time{}
		}
	}
	if p.tick != nil {
		if events {
			p.idle = 0
		}
		at := p.ticked.Add(p.between())
		if !now.Before(at) {
			p.tick(now)
			p.ticked = now
			p.idle++
			at = now.Add(p.between())
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if empty && !next.IsZero() {
		p.wakeAt(now, next)
	}
}

func (p *pause) between() time.Duration {
	if p.idle > idleTicks {
		return idlePause
	}
	return TickPause
}

func (p *pause) drain(now time.Time) {
	p.held, p.lastDrained = false, now
	p.drained()
}

// wakeAt schedules a wake at a time, or earlier.
func (p *pause) wakeAt(now, at time.Time) {
	if p.until.After(now) && !at.Before(p.until) {
		return
	}
	p.until = at
	if p.timer == nil {
		p.timer = time.AfterFunc(at.Sub(now), p.wake)
	} else {
		p.timer.Reset(at.Sub(now))
	}
}

// end is called after the last event.
func (p *pause) end() {
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.held && p.drained != nil {
		p.drain(time.Now())
	}
}
