//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// siginfo is the part of siginfo_t that waitid(2) fills in.
type siginfo struct {
	signo, errno, code int32
	_                  int32 // alignment on 64-bit systems
	pid, uid           int32
	status             int32
	_                  [100]byte
}

const (
	pAll       = 0
	wNohang    = 1
	wStopped   = 2
	wExited    = 4
	wContinued = 8
	wNowait    = 0x0100_0000
)

// reap waits for children and reports what happens to them. Nothing else in this process
// reaps. It waits without reaping, and then reaps under the lock: a thread that holds the
// lock may signal a child by its process id.
func (k *keeper) reap() {
	k.idle.enterReaper()
	useShortSlices()
	out := make([]byte, 0, 64)
	for {
		seen, call := k.started.count(), k.idle.call()
		_, _, e := call(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&k.waited)), wExited|wStopped|wContinued|wNowait, 0, 0)
		switch e {
		case 0:
			out = k.collect(k.waited.pid, out[:0])
			if len(out) > 0 {
				send(out)
			}
			k.reaped.notify()
		case syscall.ECHILD:
			k.reaped.notify()
			k.started.wait(seen, nil, call)
		}
	}
}

// collect collects a change of state of a child, and appends the report of it to b, if
// there is one.
func (k *keeper) collect(pid int32, b []byte) []byte {
	k.lock.lock()
	defer k.lock.unlock()
	var status uint32
	var usage syscall.Rusage
	r, _, _ := syscall.RawSyscall6(syscall.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)),
		syscall.WNOHANG|syscall.WUNTRACED|syscall.WCONTINUED, uintptr(unsafe.Pointer(&usage)), 0, 0)
	if int32(r) != pid {
		return b
	}
	at := k.find(pid)
	w := syscall.WaitStatus(status)
	if at < 0 {
		if w.Stopped() || w.Continued() {
			return b
		}
		return put32(append(b, RepOrphan), uint32(pid))
	}
	c := k.children[at]
	var stage Stage
	var errno syscall.Errno  // of a child that has ended and was not a program yet
	if c.launch.id == c.id { // else it is already reused for another child
		stage, errno = c.launch.failure()
	}
	if errno == 0 {
		k.children[at].reportStarted()
	}
	switch {
	case w.Stopped():
		return put32(append(b, RepStopped), c.id, uint32(w.StopSignal()), k.continues)
	case w.Continued():
		return put32(append(b, RepContinued), c.id)
	}
	last := len(k.children) - 1
	k.children[at] = k.children[last]
	k.children = k.children[:last]
	if errno != 0 {
		return reportFailed(b, c.id, stage, errno)
	}
	return reportEnd(b, &c, status, &usage, k.noteLeftovers(&c))
}

// noteLeftovers reports whether the process group of c, which has ended, consists of
// leftovers alone, and records the group then. The caller holds k.lock.
func (k *keeper) noteLeftovers(c *child) bool {
	for i := range k.children {
		if k.children[i].pgid == c.pgid {
			return false
		}
	}
	if kill(-c.pgid, 0) != 0 {
		return false
	}
	for _, l := range k.leftovers {
		if l.pgid == c.pgid {
			return true
		}
	}
	k.leftovers = append(k.leftovers, leftover{c.group, c.pgid})
	return true
}
