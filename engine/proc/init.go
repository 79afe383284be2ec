package proc

import (
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init prepares the program for having children; call it once, early in main.
// Descriptors above 2 that weft was started with are not passed on, except
// those in keep (a make jobserver, say). Signals ignored at the start stay
// ignored in children: Go keeps SIGINT and SIGHUP so by itself; a shell's & sets
// SIGQUIT together with SIGINT, and Go hides it.
func Init(keep ...int) {
	next := 3
	for _, fd := range slices.Sorted(slices.Values(keep)) {
		closeOnExec(next, fd-1)
		next = max(next, fd+1)
	}
	closeOnExec(next, -1)
	if signal.Ignored(syscall.SIGINT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// closeOnExec marks the descriptors from first to last; -1 means all above.
func closeOnExec(first, last int) {
	if last >= 0 && last < first {
		return
	}
	// A kernel without the call (before 5.11) leaves them as they were.
	unix.CloseRange(uint(first), uint(uint32(last)), unix.CLOSE_RANGE_CLOEXEC)
}
