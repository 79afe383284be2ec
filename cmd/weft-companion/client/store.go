package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/cache"
)

// storage is one result that is to be stored, with everything that it needs.
type storage struct {
	call   Call
	action cache.Digest
	blobs  []cache.Digest // in the local cache, or in memory
	memory map[cache.Digest][]byte
	result []byte
	large  cache.Digest // set instead of result
}

// size returns about how many bytes of memory it takes.
func (s *storage) size() int {
	n := 512 + 48*len(s.blobs) + len(s.result)
	for _, b := range s.memory {
		n += len(b)
	}
	return n
}

const (
	maxQueued  = 32 << 20 // bytes of memory
	maxStorers = maxBlobCalls
	worthOne   = 16 // waiting results for each storer but the first

	// What is stored together: so many results, with so many bytes of memory unless it is only one.
	maxGroup     = 64
	maxGroupSize = 4 << 20
)

// queue is what is to be stored, in order. Storing goes on in the background, by goroutines that
// exist only while there is something to store.
type queue struct {
	ctx    context.Context // done when nothing is stored any more
	cancel context.CancelFunc
	run    func(context.Context, []*storage)

	mu      sync.Mutex // guards the fields below
	waiting []*storage
	size    int           // of them
	storers int           // goroutines
	storing int           // results that they store
	idle    chan struct{} // closed when nothing is to be stored; nil: nobody waits for that
	ended   sync.WaitGroup
}

func newQueue(run func(context.Context, []*storage)) *queue {
	q := &queue{run: run}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// add has a result stored, and reports whether there was room for it.
func (q *queue) add(s *storage) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil || q.size+s.size() > maxQueued {
		return false
	}
	q.waiting = append(q.waiting, s)
	q.size += s.size()
	if q.storers < maxStorers && len(q.waiting) > q.storers*worthOne {
		q.storers++
		q.ended.Go(q.storeAll)
	}
	return true
}

// storeAll stores what there is until there is nothing.
func (q *queue) storeAll() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			if q.storers--; q.storers == 0 && q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.mu.Unlock()
			return
		}
		group := q.take()
		q.storing += len(group)
		q.mu.Unlock()
		q.run(q.ctx, group)
		q.mu.Lock()
		q.storing -= len(group)
		q.mu.Unlock()
	}
}

// take removes results that are stored together, at least one, and returns them. The caller holds mu.
func (q *queue) take() []*storage {
	n, size := 0, 0
	for _, s := range q.waiting[:min(len(q.waiting), maxGroup)] {
		if size += s.size(); n > 0 && size > maxGroupSize {
			break
		}
		q.size -= s.size()
		n++
	}
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return group
}

// pending returns how many results are to be stored.
func (q *queue) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) + q.storing
}

// flush waits until nothing is to be stored, or ctx is done.
func (q *queue) flush(ctx context.Context) {
	q.mu.Lock()
	if q.storers == 0 {
		q.mu.Unlock()
		return
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// close drops everything, and waits until nothing is being stored.
func (q *queue) close() {
	q.cancel()
	q.mu.Lock()
	q.waiting, q.size = nil, 0
	q.mu.Unlock()
	q.ended.Wait()
}

// errTooLarge is the error of a result with a blob that the server would not keep.
var errTooLarge = errors.New("a blob is too large for the server")

// storeGroup stores results. What they need is uploaded together first, with few calls. If that fails,
// it fails again for those that need it.
func (c *Cache) storeGroup(ctx context.Context, group []*storage) {
	if len(group) > 1 {
		c.provideGroup(ctx, group)
	}
	parallel(group, func(s *storage) { c.store(ctx, s) })
}

// provideGroup has the server have the small blobs of results, as far as it takes them.
func (c *Cache) provideGroup(ctx context.Context, group []*storage) {
	if err := c.ready(ctx); err != nil {
		return
	}
	if a, _ := c.status(); !a.Writes {
		return
	}
	var blobs []cache.Digest
	memory := map[cache.Digest][]byte{}
	for _, s := range group {
		for _, b := range s.blobs {
			if b.Size <= maxSmall {
				blobs = append(blobs, b)
			}
		}
		maps.Copy(memory, s.memory)
	}
	if missing, err := c.missing(ctx, Call{}, blobs); err == nil {
		c.upload(ctx, Call{}, missing, c.openOf(memory))
	}
}

// openOf returns what opens blobs of which some are in memory. They are not verified.
func (c *Cache) openOf(some map[cache.Digest][]byte) func(cache.Digest) (blobFile, error) {
	return func(blob cache.Digest) (blobFile, error) {
		if b, ok := some[blob]; ok {
			return memory(b), nil
		}
		return c.ofLocal(blob)
	}
}

// store stores a result, after everything that it names, and counts it.
func (c *Cache) store(ctx context.Context, s *storage) {
	err := c.put(ctx, s)
	switch class, ok := classOf(err); {
	case err == nil:
		c.pushed.Add(1)
	case errors.Is(err, errTooLarge), !ok:
	case class == full:
		c.say.warn("store", fmt.Sprintf("is full (%s): not everything is stored", c.say.clean(err.Error())))
	case class == unsupported:
		c.readingOnly(c.say.clean(err.Error()))
	case class == refused, class == broken, class == absent:
		c.known.forget() // it may have lost what it had
		c.say.warn("store", fmt.Sprintf("does not store the result of %q (%s)", c.say.clean(s.call.Task), c.say.clean(err.Error())))
	}
}

func (c *Cache) put(ctx context.Context, s *storage) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	a, _ := c.status()
	if !a.Writes {
		return errUnused
	}
	blobs, message := s.blobs, s.result
	if s.result == nil {
		var tree []byte
		message, tree = wrap(s.large, blobs)
		d, err := c.local.Put(tree)
		if err != nil {
			return err
		}
		blobs = append(slices.Clip(blobs), s.large, d)
	}
	for _, b := range blobs {
		if a.MaxBlob > 0 && b.Size > a.MaxBlob {
			c.say.warn("blob", fmt.Sprintf("keeps no blob above %s: what has one is not stored", formatSize(a.MaxBlob)))
			return errTooLarge
		}
	}
	missing, err := c.missing(ctx, s.call, blobs)
	if err == nil {
		err = c.upload(ctx, s.call, missing, c.openOf(s.memory))
	}
	if err != nil {
		return err
	}
	return c.do(ctx, storing, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return c.server.PutResult(ctx, s.call, s.action, message)
	})
}

// missing returns those of the blobs that the server does not have.
func (c *Cache) missing(ctx context.Context, call Call, blobs []cache.Digest) (missing []cache.Digest, err error) {
	blobs = slices.DeleteFunc(sortedByHash(blobs), c.known.has)
	a, _ := c.status()
	var mu sync.Mutex // guards missing and err
	parallel(slices.Collect(slices.Chunk(blobs, a.MaxMissing)), func(part []cache.Digest) {
		lacking, e := c.lacking(ctx, call, part)
		mu.Lock()
		defer mu.Unlock()
		if e != nil {
			err = e
			return
		}
		for _, b := range part { // the server may name others than it was asked for
			if lacking[b] {
				missing = append(missing, b)
			} else {
				c.known.add(b)
			}
		}
	})
	return missing, err
}

// lacking asks the server, with one call, which blobs it does not have.
func (c *Cache) lacking(ctx context.Context, call Call, blobs []cache.Digest) (map[cache.Digest]bool, error) {
	var missing []cache.Digest
	err := c.do(ctx, storing, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		missing, err = c.server.Missing(ctx, call, blobs)
		return err
	})
	lacking := make(map[cache.Digest]bool, len(missing))
	for _, b := range missing {
		lacking[b] = true
	}
	return lacking, err
}

// sortedByHash returns blobs in the order of their hashes, each once.
func sortedByHash(blobs []cache.Digest) []cache.Digest {
	blobs = slices.Clone(blobs)
	slices.SortFunc(blobs, func(a, b cache.Digest) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	return slices.Compact(blobs)
}

// formatSize returns a number of bytes in words.
func formatSize(n int64) string {
	for _, unit := range [...]struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
