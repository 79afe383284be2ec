package limit

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lookEvery is how many bytes are announced between two checks of the heap.
const lookEvery = 8 << 20

var (
	announced atomic.Int64 // bytes since the last check
	looking   sync.Mutex   // locked during a check: one collection serves all
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
	return Bytes("the memory that this Taskfile takes", most)
}

var live atomic.Int64

// SetLive sets how many bytes of the heap and of stacks were in use right after a collection.
func SetLive(n int64) { live.Store(n) }

// Live returns the value of the last SetLive, or 0 before the first collection.
func Live() int64 { return live.Load() }

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
