package client

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

const (
	knownFor = 10 * time.Minute
	maxKnown = 200_000 // blobs
)

// known remembers which blobs the server has. What it lacks is never remembered. The methods may be
// called concurrently; the zero value knows nothing.
type known struct {
	mu    sync.Mutex // guards since
	since map[cache.Digest]time.Time
}

// has reports whether the server has had a blob a short while ago.
func (k *known) has(blob cache.Digest) bool {
	if blob.Size == 0 {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t, ok := k.since[blob]
	return ok && time.Since(t) < knownFor
}

// add notes that the server has blobs now.
func (k *known) add(blobs ...cache.Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.since == nil || len(k.since)+len(blobs) > maxKnown {
		k.since = map[cache.Digest]time.Time{}
	}
	now := time.Now()
	for _, b := range blobs {
		k.since[b] = now
	}
}

// forget forgets everything: the server has lost something.
func (k *known) forget() {
	k.mu.Lock()
	k.since = nil
	k.mu.Unlock()
}
