package proc

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxRSS is what getrusage(2) counted, in bytes.
func maxRSS(n int64) int64 { return n * 1024 }

// parentOf returns the parent of a process: 0 if that is outside what can be
// seen, -1 if it is not known.
func parentOf(pid int) int {
	_, parent := statOf(pid)
	return parent
}

// statOf returns the state of a process, as /proc has it, and its parent: 0 and -1
// if they are not known.
func statOf(pid int) (state byte, parent int) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if err != nil || len(fields) < 2 {
		return 0, -1
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, -1
	}
	return fields[0][0], parent
}

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
