//go:build unix && !linux

package proc

import (
	"os/signal"
	"runtime"
	"syscall"
)

// maxRSS is what getrusage(2) counted, in bytes: macOS counts bytes, the others
// KiB.
func maxRSS(n int64) int64 {
	if runtime.GOOS == "darwin" {
		return n
	}
	return n * 1024
}

// parentOf returns -1: it is not known.
func parentOf(int) int { return -1 }

// closeOnExec marks the descriptors from first to last; -1 means all above,
// as far as a process usually has any.
func closeOnExec(first, last int) {
	if last < 0 {
		last = 255
	}
	for fd := first; fd <= last; fd++ {
		syscall.CloseOnExec(fd)
	}
}

// withoutTTOU calls f while SIGTTOU is ignored: a process outside the
// foreground that changes the terminal is stopped otherwise.
func withoutTTOU(f func()) {
	if !signal.Ignored(syscall.SIGTTOU) {
		signal.Ignore(syscall.SIGTTOU)
		defer signal.Reset(syscall.SIGTTOU)
	}
	f()
}
