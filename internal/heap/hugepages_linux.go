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
	spare    = 128 << 20 // must be left for all else, in bytes

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
	regions := (n + region - 1) / region
	if !mappable(regions*region + spare) {
		return
	}
	var ready, done sync.WaitGroup
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

// mappable reports whether n bytes can be mapped: if the process has a limit (ulimit -v), or the
// system (vm.overcommit_memory), what is prepared could be missing elsewhere, and the runtime would
// end the program.
func mappable(n int) bool {
	at, _, err := syscall.Syscall6(syscall.SYS_MMAP, 0, uintptr(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON, ^uintptr(0), 0)
	if err == 0 {
		syscall.Syscall(syscall.SYS_MUNMAP, at, uintptr(n), 0)
	}
	return err == 0
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
