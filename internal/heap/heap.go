// Package heap tunes the heap of Go for runs, which are short: when it is collected, and how it grows.
//
// A short run spends much of its time on page faults: for every 4 KiB that the heap grows, the kernel
// is entered once, and a fault costs more than the allocation. With huge pages it is entered once
// for 2 MiB. Many systems give them only to memory that a program asks them for
// (/sys/kernel/mm/transparent_hugepage/enabled contains [madvise]), and the runtime of Go does not
// ask.
package heap

// least is the growth that is prepared, in bytes.
const least = 3 << 20

// Expect says that the program is about to need n more bytes of heap, or more, for as long as it
// runs. It is a hint: it allocates nothing, and changes only how fast the memory can be used, and
// when it is collected. It may be called at any time, by any goroutine.
func Expect(n int) {
	expectLive(n)
	prepare(n)
}

// prepare asks for huge pages in the next n bytes that the heap will grow, if they are worth it.
func prepare(n int) {
	if n >= least {
		useHugePages(min(n, most))
	}
}
