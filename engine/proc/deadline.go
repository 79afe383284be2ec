package proc

import "time"

// SetStopDeadline limits how long programs have to end after they are told to: whatever their
// grace, they are killed at that time at the latest. It applies to stops from now on; an earlier
// one is shortened by stopping the group again. It is for a weft that will itself be killed a
// little later.
func (t *Table) SetStopDeadline(at time.Time) { t.end.Store(&at) }

// LimitTimeout returns the time limit for something that may take d: shorter if the group has to
// end earlier, and never 0, which means no limit.
func (g *Group) LimitTimeout(d time.Duration) time.Duration { return g.t.limitTimeout(d) }

// limitTimeout is LimitTimeout for all groups. A d of 0 has no limit of its own.
func (t *Table) limitTimeout(d time.Duration) time.Duration {
	end := t.end.Load()
	if end == nil {
		return d
	}
	left := max(time.Until(*end), 1)
	if d == 0 {
		return left
	}
	return min(d, left)
}
