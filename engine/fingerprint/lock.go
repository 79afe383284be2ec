package fingerprint

import "context"

// Lock makes sure that nobody else does the work at the same time; see
// [state.Store.Lock]. Who has the lock checks again: the work may be done.
func (c *Check) Lock(ctx context.Context, step string, onWait func(holder string)) (release func(), err error) {
	return c.by.state.Lock(ctx, c.key, step, onWait)
}

// TryLock is [Check.Lock] where nobody holds the lock; ok is false, and nothing
// is locked, when somebody does. changed tells that somebody else has recorded
// something since c was made: check again.
func (c *Check) TryLock(step string) (release func(), changed, ok bool) {
	release, ok = c.by.state.TryLock(c.key, step)
	return release, ok && !c.by.state.Unchanged(c.key, c.record), ok
}
