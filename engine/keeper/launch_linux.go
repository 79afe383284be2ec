//go:build linux && (amd64 || arm64)

package keeper

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// launch is a program about to be: a process that shares KEEPER's memory until
// exec gives it one of its own. It has a stack, and a script of system calls to
// make, so that no Go code runs in it. KEEPER does not wait for it meanwhile, as
// it would with vfork: it starts the next one, and is not held up by a slow exec. The
// benchmarks compare it with syscall.ForkExec, which also makes garbage.
//
// The thread that serves requests owns a launch that is free. While one is
// under way the child reads it, and nothing in it may be changed.
type launch struct {
	tid   uint32 // set with the child, cleared and waked by the kernel when the child has other memory
	errno uint32 // why the child did not become the program; cleared by who reports it
	id    uint32 // of the child it is or was used for; guarded by the keeper's lock

	script [maxCalls]call
	calls  int
	args   cloneArgs
	stack  [1024]byte // not used: no call pushes anything, no signal comes in

	program  program
	request  []byte // the memory of a request; its texts are the program's arguments
	spilled  []byte // or this mapped file
	pointers []*byte
}

// call is a system call of a script.
type call struct {
	number uintptr
	args   [4]uintptr
	mode   uintptr
}

// Modes of a call.
const (
	try       = iota // it does not matter whether it fails
	must             // if it fails the child ends
	otherwise        // is made only if the one before failed
)

// maxCalls is more than there are ever: the signals, the descriptors, and a dozen.
const maxCalls = maxSignal + maxFiles + 13

// maxLaunches is how many may be under way at a time.
const maxLaunches = 16

// cloneArgs is struct clone_args of clone3(2), version 0.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

const (
	cloneVM            = 0x100
	cloneParentSettid  = 0x10_0000
	cloneChildCleartid = 0x20_0000
	cloneClearSighand  = 0x1_0000_0000 // handlers to default; what is ignored stays so
	sysClone3          = 435
	sigSetmask         = 2
	prSetPdeathsig     = 1
	tiocspgrp          = 0x5410
	tiocsctty          = 0x540e
	maxSignal          = 64
)

// sigaction is struct kernel_sigaction of both architectures, near enough: only
// the handler, which stands first, is read and written.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// clone makes a child as the system call trap does, and returns its process id,
// or an error number below zero. The child makes the calls of l's script.
func clone(l *launch, trap, a1, a2, a3, a4, a5 uintptr) (pid uintptr)

// free returns a launch that nothing uses.
func (k *keeper) free() *launch {
	for {
		var busy *launch
		for _, l := range k.launches {
			if l.over() && atomic.LoadUint32(&l.errno) == 0 {
				unmap(l.spilled)
				l.spilled = nil
				return l
			}
			if !l.over() {
				busy = l
			}
		}
		switch {
		case len(k.launches) < maxLaunches:
			k.launches = append(k.launches, &launch{request: make([]byte, MaxMessage+4096)})
		case busy != nil:
			busy.wait()
		default: // the reaper has yet to report them
			syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
}

// over reports whether the child does not use KEEPER's memory any more.
func (l *launch) over() bool { return atomic.LoadUint32(&l.tid) == 0 }

// wait returns when l is over.
func (l *launch) wait() {
	for {
		tid := atomic.LoadUint32(&l.tid)
		if tid == 0 {
			return
		}
		syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&l.tid)), futexWait, uintptr(tid), 0, 0, 0)
	}
}

// program is what a launch turns into.
type program struct {
	path, dir  *byte // dir is nil: KEEPER's own
	argv, envp **byte
	files      [maxFiles]file
	count      int   // of files
	pgid       int32 // to join if it is there; 0: a new one
	foreground bool
	outlives   bool
	session    bool // with a terminal, its stdout
}

// file is an open file, and the number of the descriptor that the program has of it.
type file struct{ fd, number int32 }

// maxFiles is how many descriptors a program gets.
const maxFiles = 3 + MaxFurther

// start makes the child. It returns an error number below zero if there is none.
func (l *launch) start(k *keeper) (pid int32) {
	for {
		l.compose(k)
		r := 0
		if k.noClone3 {
			flags := uintptr(cloneVM|cloneParentSettid|cloneChildCleartid) | uintptr(syscall.SIGCHLD)
			tid := uintptr(unsafe.Pointer(&l.tid)) // 4th or 5th argument of clone, by architecture
			r = int(clone(l, syscall.SYS_CLONE, flags, uintptr(unsafe.Pointer(&l.stack))+unsafe.Sizeof(l.stack), tid, tid, tid))
		} else {
			tid := uint64(uintptr(unsafe.Pointer(&l.tid)))
			l.args = cloneArgs{flags: cloneVM | cloneParentSettid | cloneChildCleartid | cloneClearSighand, exitSignal: uint64(syscall.SIGCHLD),
				parentTID: tid, childTID: tid, stack: uint64(uintptr(unsafe.Pointer(&l.stack))), stackSize: uint64(unsafe.Sizeof(l.stack))}
			r = int(clone(l, sysClone3, uintptr(unsafe.Pointer(&l.args)), unsafe.Sizeof(l.args), 0, 0, 0))
		}
		switch syscall.Errno(-r) {
		case syscall.ENOSYS, syscall.EPERM, syscall.EINVAL: // no such call, a filter, no such flag
			if !k.noClone3 {
				k.noClone3 = true
				continue
			}
		}
		return int32(r)
	}
}

// compose writes the script.
func (l *launch) compose(k *keeper) {
	p := &l.program
	l.calls = 0
	if k.noClone3 {
		l.resetSignals()
	}
	if p.session {
		l.add(must, syscall.SYS_SETSID)
	} else {
		l.add(try, syscall.SYS_SETPGID, 0, uintptr(p.pgid))
		l.add(otherwise, syscall.SYS_SETPGID, 0, 0)
	}
	if p.foreground {
		group := unsafe.Pointer(&p.pgid)
		if p.pgid == 0 {
			group = unsafe.Pointer(&l.tid)
		}
		// All signals are blocked: a background process is not stopped for it.
		l.add(try, syscall.SYS_IOCTL, Terminal, tiocspgrp, uintptr(group))
	}
	if !p.outlives {
		l.add(try, syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGKILL))
	}
	for _, f := range p.files[:p.count] {
		l.add(must, syscall.SYS_DUP3, uintptr(f.fd), uintptr(f.number))
	}
	if p.session {
		l.add(try, syscall.SYS_IOCTL, 1, tiocsctty, 0)
	}
	if p.dir != nil {
		l.add(must, syscall.SYS_CHDIR, uintptr(unsafe.Pointer(p.dir)))
	}
	l.add(try, syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&k.mask)), 0, 8)
	l.add(must, syscall.SYS_EXECVE, uintptr(unsafe.Pointer(p.path)), uintptr(unsafe.Pointer(p.argv)), uintptr(unsafe.Pointer(p.envp)))
}

func (l *launch) add(mode int, number uintptr, args ...uintptr) {
	c := &l.script[l.calls]
	*c = call{number: number, mode: uintptr(mode)}
	copy(c.args[:], args)
	l.calls++
}

// byDefault is what a signal without a handler does.
var byDefault sigaction

// resetSignals undoes the handlers of the Go runtime, where the kernel cannot be
// told to do it.
func (l *launch) resetSignals() {
	for sig := uintptr(1); sig <= maxSignal; sig++ {
		var old sigaction
		_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if e == 0 && old.handler > 1 {
			l.add(try, syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&byDefault)), 0, 8)
		}
	}
}
