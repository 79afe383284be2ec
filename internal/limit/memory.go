package limit

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lookEvery is the number of announced bytes between two checks of the heap.
const lookEvery = 8 << 20

var (
	announced atomic.Int64 // bytes since the last check
	looking   sync.Mutex   // locked during a check: one collection serves all waiting goroutines
)

// Grow announces that about n bytes will be kept for a Taskfile. It returns an error if weft
// would need more than [Memory] then. It is cheap, and safe for concurrent use.
func Grow(n int64) error { return GrowTo(n, Memory) }

// GrowTo is Grow with another limit than [Memory].
func GrowTo(n, most int64) error {
	if sum := announced.Add(n); sum < lookEvery {
		return nil
	}
	looking.Lock()
	defer looking.Unlock()
	announced.Store(0)
	if heap()+n <= most {
		return nil
	}
	runtime.GC() // garbage is still counted
	if heap()+n <= most {
		return nil
	}
	return Bytes("the memory for this Taskfile", most)
}

var (
	live  atomic.Int64
	apart atomic.Int64 // bytes that are kept apart
	peak  atomic.Int64 // maximum of apart since the last SetLive
)

// AddExempt records that n more bytes are kept, or fewer if n is negative, that no script of weft's
// own shell is responsible for.
func AddExempt(n int) {
	for now := apart.Add(int64(n)); ; {
		old := peak.Load()
		if now <= old || peak.CompareAndSwap(old, now) {
			return
		}
	}
}

// SetLive sets how many bytes of the heap and of stacks were in use in the last collection.
// Memory that was kept apart then may have been released since, so the maximum counts.
func SetLive(n int64) {
	live.Store(max(0, n-peak.Swap(apart.Load())))
}

// Live returns how much memory of the last SetLive was not kept [AddExempt]; before the first
// collection 0.
func Live() int64 { return live.Load() }

// LiveExceeds reports whether more than most bytes of memory are live that are not kept apart.
// If the last collection found more, it collects once more, since that may have counted garbage.
func LiveExceeds(most int64) bool {
	if Live() <= most {
		return false
	}
	looking.Lock()
	defer looking.Unlock()
	if Live() <= most { // another goroutine has checked
		return false
	}
	runtime.GC()
	SetLive(InUse())
	return Live() > most
}

// InUse returns how many bytes of the heap and of stacks are in use; right after a collection
// these are live memory and garbage that is not swept yet.
func InUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// heap returns how many bytes of the heap are in use or are garbage. Package runtime/metrics
// would not stop the world, but takes time at every start.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Stacks returns how many bytes all stacks take. It stops the world for about ten
// microseconds.
func Stacks() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
