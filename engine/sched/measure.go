package sched

import (
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/plan"
)

// measure computes for each step of b the length of its chain: the total duration of the longest
// path of steps that wait for it. A step of unknown duration is assumed to take the median of the
// known ones; if none is known, each takes 1. It runs in O(steps + needs), plus the time to sort
// the known durations.
//
// Longest chain first keeps a machine busy till the end; see Graham, Bounds on Multiprocessing
// Timing Anomalies (1969).
func (l *loop) measure(b *batch) {
	if l.slots.limit == 1 {
		return // the order is that of the plan
	}
	var known []uint32
	if len(b.nodes) > 1 || b.caller != nil { // otherwise there is nothing to order
		known = l.durations(b)
	}
	unknown := uint32(1)
	if slices.Contains(known, 0) {
		unknown = median(known)
	}
	chains := make([]uint32, len(b.nodes))
	for i := len(b.nodes) - 1; i >= 0; i-- {
		own := unknown
		if known != nil && known[i] > 0 {
			own = known[i]
		}
		after := chains[i]
		chains[i] = add(after, own)
		for _, edge := range b.plan.Needs[i] {
			waits := chains[i]
			if edge.When == plan.Together {
				waits = after
			}
			chains[edge.Step] = max(chains[edge.Step], waits)
		}
	}
	for _, members := range b.plan.Gangs {
		longest := uint32(0)
		for _, i := range members {
			longest = max(longest, chains[i])
		}
		for _, i := range members {
			chains[i] = longest
		}
	}
	for i, n := range b.nodes {
		if n.batch == b {
			n.chain = chains[i]
		}
	}
}

// durations returns the durations of the steps of b in milliseconds, 0 if unknown; nil if all are
// unknown.
func (l *loop) durations(b *batch) []uint32 {
	if l.r.o.Durations == nil {
		return nil
	}
	keys := l.keysOf(b)
	known := make([]uint32, len(keys))
	var any atomic.Bool
	inParts(len(keys), func(from, to int) {
		found := false
		for i, key := range keys[from:to] {
			if d := l.r.o.Durations(key); d > 0 {
				known[from+i] = uint32(min(max(1, d/time.Millisecond), math.MaxUint32))
				found = true
			}
		}
		if found {
			any.Store(true)
		}
	})
	if !any.Load() {
		return nil
	}
	return known
}

// leastPart is the number of steps from which another goroutine takes part in looking at them.
const leastPart = 1000

// inParts calls f for all numbers below n, in parts: concurrently if they are many. While a large
// plan is accepted nothing else uses the other processors.
func inParts(n int, f func(from, to int)) {
	parts := max(1, min(n/leastPart, runtime.GOMAXPROCS(0)))
	var others sync.WaitGroup
	for i := 1; i < parts; i++ {
		others.Go(func() { f(n*i/parts, n*(i+1)/parts) })
	}
	f(0, n/parts)
	others.Wait()
}

// median returns the median of the nonzero elements of all, of which there is at least one.
func median(all []uint32) uint32 {
	known := slices.DeleteFunc(slices.Clone(all), func(d uint32) bool { return d == 0 })
	sort.Slice(known, func(i, j int) bool { return known[i] < known[j] })
	n := len(known)
	return uint32((uint64(known[(n-1)/2]) + uint64(known[n/2])) / 2)
}

// add returns a+b, saturated.
func add(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxUint32))
}
