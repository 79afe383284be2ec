package fswatch

import (
	"slices"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// A batch closes when nothing has come for some time: for a short time after a single
// save, for a longer one in a storm or when the last batch is not long ago; and at the
// latest when it has been open for maxOpen.
const (
	quick    = 8 * time.Millisecond
	interval = 100 * time.Millisecond
	maxOpen  = time.Second
	storm    = 16                     // events from which a batch is no single save
	recent   = 100 * time.Millisecond // since the last batch
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
	calm   *clock.Timer // nothing came for some time
	latest *clock.Timer // it has been open for long
	last   time.Time    // when the last batch was closed
	closed bool
}

// NewBatcher returns a Batcher that waits for wait after each change, or, with 0, for
// what is sensible.
func NewBatcher(wait time.Duration, c *clock.Clock) *Batcher {
	return &Batcher{wait: wait, clock: c, out: make(chan Batch, 1), paths: map[string]struct{}{}}
}

// Batches has the batches. One that nobody has taken yet is made larger.
func (b *Batcher) Batches() <-chan Batch { return b.out }

// Add adds a path.
func (b *Batcher) Add(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paths[path] = struct{}{}
	b.event()
}

// Lost notes that changes were lost.
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
	batch := Batch{Lost: b.lost, Paths: make([]string, 0, len(b.paths))}
	for p := range b.paths {
		batch.Paths = append(batch.Paths, p)
	}
	select {
	case before := <-b.out: // nobody was interested yet
		batch.Lost = batch.Lost || before.Lost
		batch.Paths = append(batch.Paths, before.Paths...)
	default:
	}
	slices.Sort(batch.Paths)
	batch.Paths = slices.Compact(batch.Paths)
	b.out <- batch
	b.paths, b.events, b.lost = map[string]struct{}{}, 0, false
	b.calm.Stop()
	b.latest.Stop()
	b.calm, b.latest = nil, nil
	b.last = time.Now()
}

// Close ends the batching; what is open is dropped.
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
