//go:build unix && !linux

package proc

import (
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Requests of ioctl for a terminal's settings.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETAW
)

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
