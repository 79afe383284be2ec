package executor

import (
	"context"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/fingerprint"
)

// Verdict describes a step without running it.
type Verdict struct {
	Fresh    bool                 // it is up to date
	Reasons  []fingerprint.Reason // why it is not
	Restored bool                 // it is not up to date, but the cache has its result
	Miss     *Miss                // why the cache lacks it; nil if it does not, or the step is not cached
}

// Miss explains why the cache cannot restore the result of a step.
type Miss struct {
	Why string `json:"why"`
	// Nearest is the hexadecimal Action of the cached result of the task that differs least; "" if
	// there is none.
	Nearest string               `json:"nearest,omitempty"`
	Reasons []fingerprint.Reason `json:"reasons"` // the differences from it
}

// explain completes the verdict on a step that is not up to date and may be cached. It has no side
// effects.
func (l *cached) explain(ctx context.Context, b *Bound, v *Verdict) {
	if l.open == nil || b.check == nil || b.Step.Cache() == nil {
		return
	}
	c := l.open()
	if c == nil {
		return
	}
	miss := func(why string) { v.Miss = &Miss{Why: why, Reasons: []fingerprint.Reason{}} }
	key, err := l.fresh.cacheKey(ctx, b)
	if err != nil {
		miss(err.Error())
		return
	}
	there, err := c.Disk.Entry(key.Action)
	if err != nil {
		miss(err.Error())
		return
	}
	if v.Restored = there != nil; v.Restored {
		return
	}
	miss("there is no entry for this task")
	nearest, differences := c.nearest(b.Step.Name, key)
	if nearest.IsZero() {
		return
	}
	v.Miss.Why, v.Miss.Nearest = "there is no entry with the same inputs", nearest.Hex()
	for _, d := range differences {
		v.Miss.Reasons = append(v.Miss.Reasons, fingerprint.Reason{Kind: d.Kind, Name: d.Name, Old: d.Old, New: d.New})
	}
	v.Miss.Reasons = describeReasons(v.Miss.Reasons)
}

// nearest returns the cached entry of a task that differs least from key, and the differences; the
// zero Digest if there is none.
func (c *Cache) nearest(task string, key *cache.Key) (cache.Digest, []cache.Difference) {
	all, err := c.Index.Entries()
	if err != nil {
		return cache.Digest{}, nil
	}
	var earlier []cache.Digest
	for _, e := range all {
		if e.Task == task {
			earlier = append(earlier, e.Action)
		}
	}
	return c.Disk.Nearest(key, earlier)
}
