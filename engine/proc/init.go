//go:build unix

package proc

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// prepare must be called before the first child is started. Children do not inherit the
// descriptors above 2 that weft was started with, except those of a make that weft runs
// under. Signals that were ignored at the start stay ignored in children: Go does that for
// SIGINT and SIGHUP; the & of a shell ignores SIGQUIT together with SIGINT, which Go hides.
func prepare() {
	next := 3
	for _, fd := range jobserver(os.Getenv("MAKEFLAGS")) {
		closeOnExec(next, fd-1)
		next = max(next, fd+1)
	}
	closeOnExec(next, -1)
	if signal.Ignored(syscall.SIGINT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// jobserver returns the descriptors of make's jobserver, in ascending order.
func jobserver(flags string) []int {
	for f := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut(f, "=")
		if name != "--jobserver-auth" && name != "--jobserver-fds" {
			continue
		}
		r, w, _ := strings.Cut(value, ",")
		a, errA := strconv.Atoi(r)
		b, errB := strconv.Atoi(w)
		if errA == nil && errB == nil && a > 2 && b > 2 { // otherwise it is a named pipe, or there is none
			return []int{min(a, b), max(a, b)}
		}
	}
	return nil
}

// statusOf returns the status of a program that has ended.
func statusOf(w syscall.WaitStatus, usage Usage) Status {
	s := Status{Code: w.ExitStatus(), Usage: usage}
	if w.Signaled() {
		s.Signal = w.Signal()
		s.Code = 128 + int(s.Signal)
	}
	return s
}

// session returns the id of weft's session.
func session() string {
	sid, _ := unix.Getsid(0)
	return strconv.Itoa(sid)
}
