//go:build linux && (amd64 || arm64)

package keeper

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// siginfo is the part of siginfo_t that waitid(2) fills in: the process id
// stands at byte 12 or 16 of it, see pid.
type siginfo struct {
	signo, errno, code int32
	_                  int32 // 64-bit systems align what follows
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

// reap is the only caller of wait in this process. It looks first and reaps
// under the lock, so that a process id is valid for whoever signals.
func (k *keeper) reap() {
	k.rest.enterReaper()
	promptly()
	out := make([]byte, 0, 64)
	for {
		seen, call := k.started.count(), k.rest.call()
		_, _, e := call(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&k.news)), wExited|wStopped|wContinued|wNowait, 0, 0)
		switch e {
		case 0:
			out = k.take(k.news.pid, out[:0])
			if len(out) > 0 {
				send(out)
			}
			k.reaped.ring()
		case syscall.ECHILD:
			k.reaped.ring()
			k.started.wait(seen, nil, call)
		}
	}
}

// take takes up the news of a child and appends the report to b, if there is
// anything to tell.
func (k *keeper) take(pid int32, b []byte) []byte {
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
	errno := c.launchError()
	if errno == 0 {
		k.children[at].tellStarted()
	}
	switch {
	case w.Stopped():
		return put32(put32(put32(append(b, RepStopped), c.id), uint32(w.StopSignal())), k.continues)
	case w.Continued():
		return put32(append(b, RepContinued), c.id)
	}
	last := len(k.children) - 1
	k.children[at] = k.children[last]
	k.children = k.children[:last]
	if errno != 0 {
		return reportFailed(b, c.id, errno)
	}
	return reportEnd(b, &c, status, &usage, k.groupLeft(&c))
}

// launchError returns why c, which has ended, did not become a program, or 0.
// Its launch is free then. The keeper's lock is held.
func (c *child) launchError() syscall.Errno {
	if c.launch.id != c.id {
		return 0 // it serves another already
	}
	return syscall.Errno(atomic.SwapUint32(&c.launch.errno, 0))
}

// groupLeft reports whether c's process group has members, none of them started
// on request, and remembers it then. k.lock is held.
func (k *keeper) groupLeft(c *child) bool {
	for i := range k.children {
		if k.children[i].pgid == c.pgid {
			return false
		}
	}
	if kill(-c.pgid, 0) != 0 {
		return false
	}
	for _, l := range k.left {
		if l.pgid == c.pgid {
			return true
		}
	}
	k.left = append(k.left, leftGroup{c.group, c.pgid})
	return true
}
