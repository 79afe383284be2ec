package stack

import (
	"sync"
	"testing"
)

// BenchmarkGrow measures a goroutine with deep calls, like those of a run, with a stack that grows
// once and with one that grows on demand.
func BenchmarkGrow(b *testing.B) {
	for name, grow := range map[string]func(){"once": Grow, "as needed": func() {}} {
		b.Run(name, func(b *testing.B) {
			var wg sync.WaitGroup
			for b.Loop() {
				wg.Go(func() { grow(); descend(60) })
				wg.Wait()
			}
		})
	}
}

//go:noinline
func descend(levels int) (sum byte) {
	var frame [256]byte
	if levels > 0 {
		frame[levels] = descend(levels - 1)
	}
	return frame[levels/2]
}
