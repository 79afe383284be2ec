package main

import (
	"runtime"
	"runtime/debug"
)

// headroom is how much a small heap may grow before it is collected. Most runs
// end before that and never collect anything.
const headroom = 32 << 20

// tuneGC makes small heaps collect rarely and large ones often: the next
// collection comes when the heap has grown by headroom, or by half of what is
// live, whichever is more. It adjusts itself after every collection.
func tuneGC() {
	debug.SetGCPercent(800) // of the runtime's minimal heap, 4 MiB: headroom
	watchGC(new(gcSentinel))
}

// gcSentinel is garbage from the start: its finalizer runs after each
// collection. It must not be empty, else it would have no address of its own.
type gcSentinel struct{ _ [16]byte }

func watchGC(s *gcSentinel) {
	runtime.SetFinalizer(s, func(s *gcSentinel) {
		// Right after a collection, what is allocated is what is live.
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if n := m.HeapAlloc; n > 0 {
			debug.SetGCPercent(int(max(headroom, n/2) * 100 / n))
		}
		watchGC(s)
	})
}
