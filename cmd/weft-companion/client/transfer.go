package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

// transfers are blobs that are being moved in one direction: each is moved once, however many want
// it. The methods may be called concurrently; the zero value has none.
type transfers struct {
	mu   sync.Mutex // guards open
	open map[cache.Digest]*transfer
}

// transfer is one blob that is being moved.
type transfer struct {
	moved atomic.Int64  // grows while there is progress
	done  chan struct{} // closed when err is set
	err   error
}

// claim returns the transfer of a blob. ours means that the caller has to move the blob, and then to
// call end; otherwise somebody else does.
func (t *transfers) claim(blob cache.Digest) (one *transfer, ours bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.open[blob]; one != nil {
		return one, false
	}
	if t.open == nil {
		t.open = map[cache.Digest]*transfer{}
	}
	one = &transfer{done: make(chan struct{})}
	t.open[blob] = one
	return one, true
}

// end ends a transfer that was claimed.
func (t *transfers) end(blob cache.Digest, one *transfer, err error) {
	t.mu.Lock()
	delete(t.open, blob)
	t.mu.Unlock()
	one.err = err
	close(one.done)
}

// watchEvery is how often somebody who waits for another's transfer looks whether it goes on.
const watchEvery = time.Second

// wait waits for the end of another's transfer, and calls progress while that goes on. again means
// that it was given up since nobody there wanted it any more: the caller should claim it.
func (one *transfer) wait(ctx context.Context, progress func()) (err error, again bool) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-one.done:
			return one.err, ctx.Err() == nil && errors.Is(one.err, context.Canceled)
		case <-ctx.Done():
			return ended(ctx), false
		case <-tick.C:
			if now := one.moved.Load(); now != before {
				before = now
				progress()
			}
		}
	}
}

// claimed is a blob that the caller has to move.
type claimed struct {
	blob cache.Digest
	*transfer
}

// move moves blobs, each once: move those that are ours, wait for the others, and repeat what others
// gave up. do must end each of its transfers. The errors are by blob; those that were moved have
// none.
func (t *transfers) move(ctx context.Context, blobs []cache.Digest, progress func(), do func([]claimed)) map[cache.Digest]error {
	failed := map[cache.Digest]error{}
	for len(blobs) > 0 {
		var own, others []claimed
		for _, b := range blobs {
			one, ours := t.claim(b)
			if ours {
				own = append(own, claimed{b, one})
			} else {
				others = append(others, claimed{b, one})
			}
		}
		do(own)
		for _, c := range own {
			if c.err != nil {
				failed[c.blob] = c.err
			}
		}
		blobs = nil
		for _, c := range others {
			err, again := c.wait(ctx, progress)
			if again {
				blobs = append(blobs, c.blob)
			} else if err != nil {
				failed[c.blob] = err
			}
		}
	}
	return failed
}

// parallel calls do for each item, by at most maxBlobCalls goroutines.
func parallel[T any](items []T, do func(T)) {
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(items) {
				return
			}
			do(items[i])
		}
	}
	var wg sync.WaitGroup
	for range min(len(items), maxBlobCalls) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

const (
	maxSmall    = 1 << 20 // bytes of a blob that is moved in a batch
	batchLimit  = 4 << 20 // bytes of a message
	batchMargin = 64 << 10
	blobMargin  = 128 // bytes of a message for each blob beside its content
)

// split divides blobs into batches of the small ones and streams of the others. limit is what a
// server takes in one call; 0: it takes no batches.
func split(blobs []claimed, limit int64) (batches [][]claimed, streams []claimed) {
	limit = min(limit, batchLimit) - batchMargin
	var batch []claimed
	var size int64
	for _, c := range blobs {
		more := c.blob.Size + blobMargin
		if c.blob.Size > maxSmall || more > limit {
			streams = append(streams, c)
			continue
		}
		if size+more > limit {
			batches = append(batches, batch)
			batch, size = nil, 0
		}
		batch = append(batch, c)
		size += more
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches, streams
}
