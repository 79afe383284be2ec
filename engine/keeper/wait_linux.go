//go:build linux && (amd64 || arm64)

package keeper

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// idle lets KEEPER sleep. The Go runtime regards a thread in a raw system call as
// running and checks it a hundred times a second, which costs half a percent of a
// processor for as long as a program runs. So when no request has come for a while, both
// threads wait by calls that the runtime knows about, and everything sleeps.
type idle struct {
	isIdle atomic.Bool
	reaper atomic.Uint32 // thread id
	// reaperIdle is set while the reaper waits by such a call.
	reaperIdle atomic.Bool
}

const (
	// idleAfter is the time without a request after which KEEPER is idle, in microseconds.
	idleAfter = 20_000

	saRestart = 0x1000_0000
	pollIn    = 1
)

// wake is the signal that interrupts the reaper's wait: the one that the Go runtime
// interrupts its own threads with, and has a handler for.
const wake = syscall.SIGURG

// prepare limits how long receiving a request waits, and makes wake interrupt system calls.
func (d *idle) prepare() {
	limit := syscall.Timeval{Usec: idleAfter}
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, Control, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, uintptr(unsafe.Pointer(&limit)), unsafe.Sizeof(limit), 0)
	handler := action(wake)
	handler.flags &^= saRestart
	setAction(wake, &handler)
}

// enterReaper makes the calling thread the reaper.
func (d *idle) enterReaper() {
	runtime.LockOSThread()
	tid, _, _ := syscall.RawSyscall(syscall.SYS_GETTID, 0, 0, 0)
	d.reaper.Store(uint32(tid))
}

// untilRequest waits until there is a request, or ENGINE has ended.
func (d *idle) untilRequest() {
	request := struct {
		fd           int32
		events, seen int16
	}{fd: Control, events: pollIn}
	d.isIdle.Store(true)
	// A reaper that is just about to wait misses the signal, so it is repeated until the
	// reaper is idle.
	limit := syscall.Timespec{Nsec: idleAfter * 1000}
	for n := uintptr(0); n == 0; limit.Sec = 2*limit.Sec + 1 {
		at := &limit
		if d.reaperIdle.Load() {
			at = nil
		} else {
			syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(d.reaper.Load()), uintptr(wake))
		}
		n, _, _ = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&request)), 1, uintptr(unsafe.Pointer(at)), 0, 0, 0)
	}
	d.isIdle.Store(false)
}

// waitCall makes a system call of the reaper that may take long. Its arguments must not
// point to memory that moves.
type waitCall func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, e syscall.Errno)

// call returns the waitCall for the next wait.
func (d *idle) call() waitCall {
	isIdle := d.isIdle.Load()
	d.reaperIdle.Store(isIdle)
	if isIdle {
		return syscall.Syscall6
	}
	return rawCall
}

// rawCall makes a raw system call that waits. The Go runtime may have queued the goroutine of the
// other thread behind the calling one, and expects that this comes back to it. So raw calls must
// not wait for long: either they have a limit, or the runtime interrupts them by a signal, which it
// sends after 10 ms. Then rawCall lets others run first.
func rawCall(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, e syscall.Errno) {
	r1, r2, e = syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
	if e == syscall.EINTR || e == syscall.ETIMEDOUT {
		runtime.Gosched()
	}
	return r1, r2, e
}

// rawLimit is the limit of raw calls of the thread that serves requests, which no signal interrupts.
var rawLimit = syscall.Timespec{Nsec: idleAfter * 1000}

// futexWait waits for at most rawLimit while the word at addr is value. The word must not move.
func futexWait(addr unsafe.Pointer, operation, value uintptr) {
	rawCall(syscall.SYS_FUTEX, uintptr(addr), operation, value, uintptr(unsafe.Pointer(&rawLimit)), 0, 0)
}

// mutex is a mutex between the two threads that does not use the Go scheduler. Its state is
// 0 if it is free, 1 if it is locked, and 2 if it is locked and a thread waits (Drepper,
// "Futexes are tricky", mutex 2).
type mutex struct{ state atomic.Uint32 }

func (m *mutex) lock() {
	if m.state.CompareAndSwap(0, 1) {
		return
	}
	for m.state.Swap(2) != 0 {
		futexWait(unsafe.Pointer(&m.state), futexPrivate, 2)
	}
}

func (m *mutex) unlock() {
	if m.state.Swap(0) == 2 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&m.state)), futexWakePrivate, 1, 0, 0, 0)
	}
}

// notifier lets a thread sleep until another thread notifies it, by futex(2).
type notifier struct {
	notified atomic.Uint32 // number of notifications
	sleeping atomic.Uint32
}

const (
	futexShared      = 0   // wait for a word that the kernel changes
	futexPrivate     = 128 // wait for a word of this process
	futexWakePrivate = 1 | 128
)

func (b *notifier) count() uint32 { return b.notified.Load() }

// notify wakes the thread that waits.
func (b *notifier) notify() {
	b.notified.Add(1)
	if b.sleeping.Load() != 0 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.notified)), futexWakePrivate, 1, 0, 0, 0)
	}
}

// wait returns when there was a notification since count was read, or after limit; nil means that
// there is no limit. It may return early.
func (b *notifier) wait(count uint32, limit *syscall.Timespec, call waitCall) {
	b.sleeping.Store(1)
	if b.notified.Load() == count {
		call(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.notified)), futexPrivate, uintptr(count), uintptr(unsafe.Pointer(limit)), 0, 0)
	}
	b.sleeping.Store(0)
}
