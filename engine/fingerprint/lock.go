package fingerprint

import "context"

// Lock makes sure that nobody else does the work at the same time; see
// [state.Store.Lock]. The caller must check again: the work may be done by now.
func (c *Check) Lock(ctx context.Context, step string, onWait func(holder string)) (release func(), err error) {
	return c.by.state.Lock(ctx, c.key, step, onWait)
}

// TryLock is [Check.Lock] if nobody holds the lock; otherwise ok is false, and nothing
// is locked. changed reports that something else has been recorded since c was made:
// the caller must check again.
func (c *Check) TryLock(step string) (release func(), changed, ok bool) {
	release, ok = c.by.state.TryLock(c.key, step)
	return release, ok && !c.by.state.Unchanged(c.key, c.record), ok
}
