// Package heap prepares the heap of Go for growth.
//
// A short run spends much of its time on page faults: for every 4 KiB that the heap grows, the kernel
// is entered once, and a fault costs more than the allocation. With huge pages it is entered once
// for 2 MiB. Many systems give them only to memory that a program asks them for
// (/sys/kernel/mm/transparent_hugepage/enabled contains [madvise]), and the runtime of Go does not
// ask.
package heap

// Least is the growth for which [Expect] does something, in bytes.
const Least = 2 << 20

// Expect says that the heap is about to grow by n bytes, or more. It is a hint: it allocates
// nothing, and changes only how fast the memory can be used. It may be called at any time, by any
// goroutine.
func Expect(n int) {
	if n >= Least {
		expect(min(n, most))
	}
}
