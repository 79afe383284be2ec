package fswatch

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// A batch closes after a time without changes: a short time (quick) after a single save, a
// longer one (interval) after many changes or soon after the last batch. It is never open for
// longer than maxOpen.
const (
	quick    = 8 * time.Millisecond
	interval = 100 * time.Millisecond
	maxOpen  = time.Second
	storm    = 16                     // a batch with more events is not a single save
	recent   = 100 * time.Millisecond // a batch closed at most this long ago is recent
)

// Batcher collects paths. Its methods are safe for concurrent use.
type Batcher struct {
	wait  time.Duration // set by the user; 0: quick or interval
	clock *clock.Clock
	out   chan Batch

	mu     sync.Mutex // guards the fields below
	paths  map[string]struct{}
	events int
	lost   bool
	calm   *clock.Timer // closes the batch after a time without changes
	latest *clock.Timer // closes the batch after maxOpen
	last   time.Time    // when the last batch closed
	closed bool
}

// NewBatcher returns a Batcher that waits for wait after each change; 0 means quick or interval.
func NewBatcher(wait time.Duration, c *clock.Clock) *Batcher {
	return &Batcher{wait: wait, clock: c, out: make(chan Batch, 1), paths: map[string]struct{}{}}
}

// Batches delivers the batches. New changes are added to one that was not received yet.
func (b *Batcher) Batches() <-chan Batch { return b.out }

// Add adds a path.
func (b *Batcher) Add(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paths[path] = struct{}{}
	b.event()
}

// Lost marks the batch: changes were lost.
func (b *Batcher) Lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = true
	b.event()
}

func (b *Batcher) event() {
	if b.closed {
		return
	}
	b.events++
	if b.calm != nil {
		b.calm.Stop()
	}
	b.calm = b.clock.AfterFunc(b.patience(), b.close)
	if b.latest == nil {
		b.latest = b.clock.AfterFunc(maxOpen, b.close)
	}
}

func (b *Batcher) patience() time.Duration {
	switch {
	case b.wait > 0:
		return b.wait
	case b.events > storm || time.Since(b.last) < recent:
		return interval
	}
	return quick
}

// close closes the open batch.
func (b *Batcher) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.events == 0 {
		return
	}
	batch := Batch{Lost: b.lost}
	select {
	case before := <-b.out: // not received yet
		batch.Lost = batch.Lost || before.Lost
		for _, p := range before.Paths {
			b.paths[p] = struct{}{}
		}
	default:
	}
	batch.Paths = slices.Sorted(maps.Keys(b.paths))
	b.out <- batch
	b.paths, b.events, b.lost = map[string]struct{}{}, 0, false
	b.calm.Stop()
	b.latest.Stop()
	b.calm, b.latest = nil, nil
	b.last = time.Now()
}

// Close stops the batcher and drops the open batch.
func (b *Batcher) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, t := range []*clock.Timer{b.calm, b.latest} {
		if t != nil {
			t.Stop()
		}
	}
}
