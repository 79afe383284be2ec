//go:build linux && (amd64 || arm64)

package keeper

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// mutex is a mutex between the two threads that does not use the Go scheduler. Its state is
// 0 if it is free, 1 if it is locked, and 2 if it is locked and a thread waits (Drepper,
// "Futexes are tricky", mutex 2).
type mutex struct{ state atomic.Uint32 }

func (m *mutex) lock() {
	if m.state.CompareAndSwap(0, 1) {
		return
	}
	for m.state.Swap(2) != 0 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&m.state)), futexWaitPrivate, 2, 0, 0, 0)
	}
}

func (m *mutex) unlock() {
	if m.state.Swap(0) == 2 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&m.state)), futexWakePrivate, 1, 0, 0, 0)
	}
}

// bell lets a thread sleep until another thread rings, by futex(2).
type bell struct {
	rung     atomic.Uint32 // how often it has rung
	sleeping atomic.Uint32
}

const (
	futexWait        = 0
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

func (b *bell) count() uint32 { return b.rung.Load() }

// ring wakes the thread that waits.
func (b *bell) ring() {
	b.rung.Add(1)
	if b.sleeping.Load() != 0 {
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.rung)), futexWakePrivate, 1, 0, 0, 0)
	}
}

// wait returns when the bell has rung since count was read, or after limit; nil means that
// there is no limit. It may return early.
func (b *bell) wait(count uint32, limit *syscall.Timespec, call waitCall) {
	b.sleeping.Store(1)
	if b.rung.Load() == count {
		call(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&b.rung)), futexWaitPrivate, uintptr(count), uintptr(unsafe.Pointer(limit)), 0, 0)
	}
	b.sleeping.Store(0)
}
