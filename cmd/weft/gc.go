package main

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/weftrun/weft/internal/heap"
	"github.com/weftrun/weft/internal/limit"
)

// headroom is the growth of a small heap before it is collected, in bytes. Most runs end before the
// first collection.
const headroom = 32 << 20

// watches means that this weft runs in watch mode: it runs for long, and should be small. Its heap
// is collected when it has doubled, the default of Go.
var watches atomic.Bool

// tuneForWatching makes small heaps collect sooner.
func tuneForWatching() {
	watches.Store(true)
	debug.SetGCPercent(100)
}

// tuneGC makes small heaps collect rarely and large ones often: the next collection starts
// when the heap has grown by headroom or by half of what is live, whichever is more. It
// adjusts that after every collection, and prepares the heap for the growth that follows.
func tuneGC() {
	debug.SetGCPercent(800) // of the runtime's minimal heap, 4 MiB: headroom
	watchGC(new(gcSentinel))
}

// ceiling is the heap size that collections try not to exceed: the maximum data of a Taskfile, and
// room for garbage.
const ceiling = limit.Plan + 48<<20

// room returns how much a heap of n bytes may grow until it is collected.
func room(n uint64) uint64 {
	if watches.Load() {
		return n
	}
	grow := max(headroom, n/2)
	if n < ceiling && n+grow > ceiling {
		grow = max(headroom, ceiling-n)
	}
	return grow
}

// gcSentinel is always garbage, so that its finalizer runs after each collection. It must not
// be empty: it needs an address of its own.
type gcSentinel struct{ _ [16]byte }

func watchGC(s *gcSentinel) {
	runtime.SetFinalizer(s, func(s *gcSentinel) {
		// Right after a collection, what is allocated is what is live.
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		limit.SetLive(int64(m.HeapAlloc + m.StackInuse))
		if n := m.HeapAlloc; n > 0 {
			debug.SetGCPercent(int(room(n) * 100 / n))
		}
		// If the step is large, there is another collection in between.
		most := int64(ceiling)
		if m.HeapAlloc >= ceiling {
			most = int64(2 * m.HeapAlloc)
		}
		debug.SetMemoryLimit(most)
		if !watches.Load() {
			heap.Expect(int(room(m.HeapAlloc)))
		}
		watchGC(s)
	})
}
