package proc

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Requests of ioctl for a terminal's settings.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETSW
)

// closeOnExec marks the descriptors from first to last; -1 means all above.
func closeOnExec(first, last int) {
	if last >= 0 && last < first {
		return
	}
	// A kernel without the call (before 5.11) leaves them as they were.
	unix.CloseRange(uint(first), uint(uint32(last)), unix.CLOSE_RANGE_CLOEXEC)
}

// withoutTTOU calls f while SIGTTOU is blocked: a process outside the
// foreground that changes the terminal is stopped otherwise.
func withoutTTOU(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ttou, old unix.Sigset_t
	ttou.Val[0] = 1 << (uint(syscall.SIGTTOU) - 1)
	unix.PthreadSigmask(unix.SIG_BLOCK, &ttou, &old)
	f()
	unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
}
