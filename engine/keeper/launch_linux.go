//go:build linux && (amd64 || arm64)

package keeper

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// launch starts a program: its child shares KEEPER's memory until exec gives it memory of
// its own. The child has a stack and a script of system calls to make; no Go code runs in
// it. Unlike with vfork, KEEPER does not wait for the exec, which may be slow: it can start
// the next program. The benchmarks compare it with syscall.ForkExec, which also makes
// garbage.
//
// The thread that serves requests owns a free launch. From clone to exec the child reads the
// launch, and nothing in it may be changed.
type launch struct {
	tid    uint32  // the child; the kernel clears it and wakes waiters at exec or exit
	errno  uint32  // the error of the exec, or of a call before it; cleared when it is reported
	failed uintptr // the address of the call that errno is from
	id     uint32  // of the last child; guarded by the keeper's lock

	script [maxCalls]call
	calls  int
	args   cloneArgs
	stack  [1024]byte // not used: system calls push nothing, and signals are blocked

	program  program
	setup    setup
	request  []byte // a request, whose texts are the program's arguments
	spilled  []byte // or the mapped file of a spilled request
	pointers []*byte
}

// call is a system call in a script.
type call struct {
	number uintptr
	args   [4]uintptr
	mode   uintptr
	stage  uintptr // to report if it fails
}

// Modes of a call.
const (
	try       = iota // may fail
	must             // if it fails, the child exits
	otherwise        // made only if the call before has failed
)

// maxCalls is an upper limit: one for each signal and descriptor, and a dozen others.
const maxCalls = maxSignal + maxFiles + 13 + maxSetupCalls

// maxLaunches is the maximum number of launches in use.
const maxLaunches = 16

// cloneArgs is struct clone_args of clone3(2), version 0.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

const (
	cloneVM            = 0x100
	cloneParentSettid  = 0x10_0000
	cloneChildCleartid = 0x20_0000
	cloneClearSighand  = 0x1_0000_0000 // resets handlers; ignored signals stay ignored
	sysClone3          = 435
	sigSetmask         = 2
	prSetPdeathsig     = 1
	tiocspgrp          = 0x5410
	tiocsctty          = 0x540e
	maxSignal          = 64
)

// sigaction resembles struct kernel_sigaction of both architectures: only the first field,
// the handler, is read and written.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// clone makes a child by the system call trap, and returns its process id, or a negative
// error number. The child makes the calls of l's script.
func clone(l *launch, trap, a1, a2, a3, a4, a5 uintptr) (pid uintptr)

// free returns a launch that is not in use. It waits for one if need be.
func (k *keeper) free() *launch {
	for {
		var busy *launch
		for _, l := range k.launches {
			if l.released() && atomic.LoadUint32(&l.errno) == 0 {
				unmap(l.spilled)
				l.spilled = nil
				return l
			}
			if !l.released() {
				busy = l
			}
		}
		switch {
		case len(k.launches) < maxLaunches:
			k.launches = append(k.launches, &launch{request: make([]byte, MaxMessage+4096)})
		case busy != nil:
			busy.wait()
		default: // the reaper has not reported them yet
			runtime.Gosched()
		}
	}
}

// released reports whether the child no longer uses KEEPER's memory.
func (l *launch) released() bool { return atomic.LoadUint32(&l.tid) == 0 }

// wait returns when l is released.
func (l *launch) wait() {
	for {
		tid := atomic.LoadUint32(&l.tid)
		if tid == 0 {
			return
		}
		futexWait(unsafe.Pointer(&l.tid), futexShared, uintptr(tid))
	}
}

// program is the program that a launch starts.
type program struct {
	path, dir  *byte // a nil dir means KEEPER's own
	argv, envp **byte
	files      [maxFiles]file
	count      int   // of files
	pgid       int32 // the process group to join if it exists; 0 means a new one
	foreground bool
	outlives   bool
	session    bool // whose terminal is stdout
	hasSetup   bool // there is something in the launch's setup
}

// file is an open file, and its number in the program.
type file struct{ fd, number int32 }

// maxFiles is the maximum number of descriptors of a program.
const maxFiles = 3 + MaxDescriptors

// start makes the child, and returns its process id or a negative error number.
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
		case syscall.ENOSYS, syscall.EPERM, syscall.EINVAL: // an old kernel, a filter, an unknown flag
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
		// A background process is not stopped for this, since all signals are blocked.
		l.add(try, syscall.SYS_IOCTL, Terminal, tiocspgrp, uintptr(group))
	}
	if p.hasSetup && l.setup.cgroup >= 0 {
		// Before the descriptor may be replaced by one of the program's.
		l.addStage(StageCgroup, syscall.SYS_WRITE, uintptr(l.setup.cgroup), uintptr(unsafe.Pointer(unsafe.StringData("0"))), 1)
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
	if p.hasSetup {
		l.composeSetup()
	}
	if !p.outlives { // a change of identity would clear it
		l.add(try, syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGKILL))
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

// byDefault resets a signal to its default.
var byDefault sigaction

// resetSignals removes the handlers of the Go runtime, on kernels that cannot do that
// themselves.
func (l *launch) resetSignals() {
	for sig := uintptr(1); sig <= maxSignal; sig++ {
		var old sigaction
		_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if e == 0 && old.handler > 1 {
			l.add(try, syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&byDefault)), 0, 8)
		}
	}
}
