package limit

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lookEvery is how many bytes may be announced between two looks at the heap.
const lookEvery = 8 << 20

var (
	announced atomic.Int64 // since the last look
	looking   sync.Mutex   // held by who looks: one collection serves all
)

// Grow announces that about n bytes are about to be kept for what a Taskfile says.
// It returns an error if weft would need more than [Memory] then, and costs nothing
// to speak of before that. It is safe for concurrent use.
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
	runtime.GC() // what nobody uses any more is still counted
	if heap()+n <= most {
		return nil
	}
	return Bytes("the memory that this Taskfile takes", most)
}

var live atomic.Int64

// SetLive tells what of the heap and of stacks was in use right after a collection.
func SetLive(n int64) { live.Store(n) }

// Live returns what SetLive was told last, 0 before the first collection. It costs
// nothing.
func Live() int64 { return live.Load() }

// heap returns how many bytes of the heap are in use, or were until lately. Package
// runtime/metrics would tell without a stop of the world, but costs every start.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Stacks returns how many bytes all stacks take. It stops the world for some ten
// microseconds.
func Stacks() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
