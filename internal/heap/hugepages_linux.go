//go:build linux && (amd64 || arm64)

package heap

import (
	"sync"
	"syscall"
	"unsafe"
)

const (
	hugePage = 2 << 20
	region   = 32 << 20  // the stack that grow needs, in bytes
	most     = 128 << 20 // is prepared at once, in bytes

	adviseHugePages = 14 // MADV_HUGEPAGE
)

// useHugePages has the runtime map regions of its heap, and asks for huge pages in them.
//
// The runtime maps its heap in steps of 4 MiB, unless it needs more at once, and a mapping begins
// without advice. So each region is taken as the stack of a goroutine: a stack comes from
// the heap, is not touched where no frame is in use, and goes back to the heap when its goroutine
// ends, without a collection. If a later runtime did any of that otherwise, the heap would
// grow as without this.
func useHugePages(n int) {
	var ready, done sync.WaitGroup
	regions := (n + region - 1) / region
	ready.Add(regions)
	for range regions {
		done.Go(func() {
			grow(nil)
			var frame [1]byte
			advise(uintptr(unsafe.Pointer(&frame)))
			ready.Done()
			ready.Wait() // or the next one would get the same region
		})
	}
	done.Wait()
}

// advise asks for huge pages in the stack that contains an address close to its end. What is asked
// for beyond the stack is the heap's, too.
func advise(address uintptr) {
	end := address&^(hugePage-1) + hugePage
	start := end - region - hugePage
	syscall.Syscall(syscall.SYS_MADVISE, start, end-start, adviseHugePages) // an error means that there are none
}

// large has such a size that a copy of it, or two, need a stack of region bytes.
type large [region/2 - 1<<20]byte

// grow has the stack of the calling goroutine grow to region bytes, if p is nil: to what it would
// need for a call of use.
//
//go:noinline
func grow(p *large) {
	if p != nil {
		use(*p)
	}
}

//go:noinline
func use(l large) byte { return l[len(l)-1] }
