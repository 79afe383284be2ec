//go:build linux && (amd64 || arm64)

package keeper

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// rest is how KEEPER is idle. The Go runtime takes a thread in a raw system call
// for one that computes, and looks at it a hundred times a second: nothing while
// programs come and go, but half a percent of a processor for as long as a
// program runs. So when no request has come for a while both threads go over to
// waiting by calls that the runtime is told of, and nothing is awake any more.
type rest struct {
	resting atomic.Bool
	reaper  atomic.Uint32 // thread id
	// reaperRests is whether the reaper waits in the way it should while resting.
	reaperRests atomic.Bool
}

const (
	// restAfter is how many microseconds pass without a request until KEEPER rests.
	restAfter = 20_000

	saRestart = 0x1000_0000
	pollIn    = 1
)

// wake interrupts the reaper's waiting. It is the signal that the Go runtime
// interrupts its own threads by, and has a handler for.
const wake = syscall.SIGURG

// prepare limits the time of waiting for requests, and has wake interrupt
// system calls.
func (r *rest) prepare() {
	limit := syscall.Timeval{Usec: restAfter}
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, Control, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, uintptr(unsafe.Pointer(&limit)), unsafe.Sizeof(limit), 0)
	var handler sigaction
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(wake), 0, uintptr(unsafe.Pointer(&handler)), 8, 0, 0)
	handler.flags &^= saRestart
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(wake), uintptr(unsafe.Pointer(&handler)), 0, 8, 0, 0)
}

// enterReaper tells that the calling thread is the reaper, and will be.
func (r *rest) enterReaper() {
	runtime.LockOSThread()
	tid, _, _ := syscall.RawSyscall(syscall.SYS_GETTID, 0, 0, 0)
	r.reaper.Store(uint32(tid))
}

// untilRequest rests until there is a request, or ENGINE is gone.
func (r *rest) untilRequest() {
	request := struct {
		fd           int32
		events, seen int16
	}{fd: Control, events: pollIn}
	r.resting.Store(true)
	// The signal is lost on a reaper that was just about to wait, so it is
	// repeated until the reaper is seen to rest.
	limit := syscall.Timespec{Nsec: restAfter * 1000}
	for n := uintptr(0); n == 0; limit.Sec = 2*limit.Sec + 1 {
		at := &limit
		if r.reaperRests.Load() {
			at = nil
		} else {
			syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(r.reaper.Load()), uintptr(wake))
		}
		n, _, _ = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&request)), 1, uintptr(unsafe.Pointer(at)), 0, 0, 0)
	}
	r.resting.Store(false)
}

// waitCall makes a system call that may take long, for the reaper. What it points
// to must be in memory that does not move.
type waitCall func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, e syscall.Errno)

// call returns what to wait by until the next event.
func (r *rest) call() waitCall {
	rests := r.resting.Load()
	r.reaperRests.Store(rests)
	if rests {
		return syscall.Syscall6
	}
	return syscall.RawSyscall6
}
