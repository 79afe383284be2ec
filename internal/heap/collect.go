package heap

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/weftrun/weft/internal/limit"
)

const (
	// headroom is the growth of a small heap before it is collected, in bytes. Most runs end before
	// the first collection.
	headroom = 32 << 20
	// mostHeadroom is the headroom of a heap that is expected to grow as much.
	mostHeadroom = 64 << 20
	// minimalHeap is what the runtime takes for the size of a heap that has not been collected yet.
	minimalHeap = 4 << 20
	// ceiling is the heap size that collections try not to exceed: the maximum data of a Taskfile,
	// and room for garbage.
	ceiling = limit.Plan + 48<<20
)

// watches means that this weft runs in watch mode: it runs for long, and should be small. Its heap
// is collected when it has doubled, the default of Go.
var watches atomic.Bool

// collected means that there was a collection.
var collected atomic.Bool

// percent is the growth of the live heap before the next collection, in percent.
var percent atomic.Uint64

// setPercent sets percent.
func setPercent(n uint64) {
	percent.Store(n)
	debug.SetGCPercent(int(n))
}

// TuneForWatching makes small heaps collect sooner.
func TuneForWatching() {
	watches.Store(true)
	setPercent(100)
}

// Tune makes small heaps collect rarely and large ones often: the next collection starts
// when the heap has grown by headroom or by half of what is live, whichever is more. It
// adjusts that after every collection, and prepares the heap for the growth that follows. A
// program calls it once, at its start.
func Tune() {
	setHeadroom(headroom)
	watch(new(sentinel))
}

// setHeadroom makes the first collection start when the heap has n bytes.
func setHeadroom(n int) { setPercent(uint64(n) * 100 / minimalHeap) }

// expected is the sum of what was expected, in bytes.
var expected atomic.Int64

// expectLive delays the first collection until the heap has grown by what is expected: until then
// most of it is in use.
func expectLive(n int) {
	now := expected.Add(int64(n))
	before := now - int64(n)
	if now > headroom && before < mostHeadroom && !watches.Load() && !collected.Load() {
		setHeadroom(int(min(now, mostHeadroom)))
	}
}

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

// sentinel is always garbage, so that its finalizer runs after each collection. It must not
// be empty: it needs an address of its own.
type sentinel struct{ _ [16]byte }

func watch(s *sentinel) {
	runtime.SetFinalizer(s, func(s *sentinel) {
		collected.Store(true)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		n := live(&m, percent.Load())
		limit.SetLive(int64(n + m.StackInuse))
		if n > 0 {
			setPercent(room(n) * 100 / n)
		}
		// If the step is large, there is another collection in between.
		most := int64(ceiling)
		if n >= ceiling {
			most = int64(2 * n)
		}
		debug.SetMemoryLimit(most)
		if !watches.Load() {
			prepare(int(room(n)))
		}
		watch(s)
	})
}

// live returns what the last collection has left, in bytes. The finalizer may come late, when much is
// allocated again, so that m.HeapAlloc says little: but the runtime has derived from what was left
// when it will collect next, if the memory limit is far.
func live(m *runtime.MemStats, percent uint64) uint64 {
	if m.NextGC > ceiling/2 {
		return m.HeapAlloc
	}
	return min(m.HeapAlloc, m.NextGC*100/(100+percent))
}
