//go:build linux && (amd64 || arm64)

package keeper

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// spin is a mutex between the two threads that does without the Go scheduler.
// It is held for a few system calls at the most.
type spin struct{ taken atomic.Uint32 }

func (l *spin) lock() {
	for !l.taken.CompareAndSwap(0, 1) {
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

func (l *spin) unlock() { l.taken.Store(0) }

// bell lets one thread sleep until another rings, by futex(2).
type bell struct {
	rung     atomic.Uint32 // how often
	sleeping atomic.Uint32
}

const (
	futexWait        = 0
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

func (b *bell) count() uint32 { return b.rung.Load() }

// ring wakes who waits.
func (b *bell) ring() {
	b.rung.Add(1)
	if b.sleeping.Load() != 0 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.rung)), futexWakePrivate, 1, 0, 0, 0)
	}
}

// wait returns when the bell has rung since count was seen, or after ms
// milliseconds; 0 means no limit. It may return early.
func (b *bell) wait(count uint32, ms int64) {
	limit := syscall.Timespec{Sec: ms / 1000, Nsec: ms % 1000 * 1e6}
	at := uintptr(unsafe.Pointer(&limit))
	if ms == 0 {
		at = 0
	}
	b.sleeping.Store(1)
	if b.rung.Load() == count {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.rung)), futexWaitPrivate, uintptr(count), at, 0, 0)
	}
	b.sleeping.Store(0)
}
