//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// vfork makes the clone system call trap; both processes return from it.
func vfork(trap, a1, a2 uintptr) (pid uintptr)

// cloneArgs is struct clone_args of clone3(2), version 0.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

const (
	cloneVM           = 0x100
	cloneVfork        = 0x4000
	cloneClearSighand = 0x1_0000_0000 // handlers to default; what is ignored stays so
	sysClone3         = 435
	sigSetmask        = 2
	prSetPdeathsig    = 1
	tiocspgrp         = 0x5410
	maxSignal         = 64
)

// spawn is a program to start, in the form the kernel takes. Between vfork and
// exec parent and child share all of memory and the parent is suspended.
type spawn struct {
	path, dir  *byte
	argv, envp **byte
	files      [3]int32
	pgid       int32 // to join; 0: a new one
	foreground bool
	outlives   bool

	errno    syscall.Errno // why the child did not get to be the program
	joined   bool          // it is past setpgid
	group    int32         // scratch of the child
	old, all uint64        // signal masks
	args     cloneArgs
	noClone3 bool            // the kernel, or a filter, refuses it
	handled  [maxSignal]bool // signals to reset then, by number - 1
}

// sigaction is struct kernel_sigaction of both architectures, near enough: only
// the handler, which stands first, is read and written.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// start starts the program. No Go code but this runs on the stack meanwhile:
// nothing it calls may grow it.
func (s *spawn) start() (pid int32, errno syscall.Errno) {
	s.errno, s.joined = 0, false
	s.all = ^uint64(0)
	sigprocmask(&s.all, &s.old)
	r := s.forkExec()
	if (-int(r) == int(syscall.ENOSYS) || -int(r) == int(syscall.EPERM)) && !s.noClone3 {
		s.withoutClone3()
		r = s.forkExec()
	}
	sigprocmask(&s.old, nil)
	if int(r) < 0 {
		return 0, syscall.Errno(-int(r))
	}
	return int32(r), s.errno
}

// withoutClone3 prepares for the older call, after which the child itself must
// undo the handlers of the Go runtime.
func (s *spawn) withoutClone3() {
	s.noClone3 = true
	for i := range s.handled {
		var old sigaction
		_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(i+1), 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		s.handled[i] = e == 0 && old.handler > 1
	}
}

func sigprocmask(set, old *uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
}

// forkExec returns the child's process id, or an error number below zero. In
// the child it does not return. Only raw system calls here: the child has one
// thread, no Go scheduler and no stack of its own.
//
//go:noinline
//go:norace
//go:nocheckptr
func (s *spawn) forkExec() uintptr {
	var (
		r   uintptr
		e   syscall.Errno
		dfl sigaction
		i   int
	)
	if s.noClone3 {
		r = vfork(syscall.SYS_CLONE, cloneVM|cloneVfork|uintptr(syscall.SIGCHLD), 0)
	} else {
		s.args = cloneArgs{flags: cloneVM | cloneVfork | cloneClearSighand, exitSignal: uint64(syscall.SIGCHLD)}
		r = vfork(sysClone3, uintptr(unsafe.Pointer(&s.args)), unsafe.Sizeof(s.args))
	}
	if r != 0 {
		return r
	}
	if s.noClone3 {
		for i = 0; i < maxSignal; i++ {
			if s.handled[i] {
				syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(i+1), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
			}
		}
	}
	if _, _, e = syscall.RawSyscall(syscall.SYS_SETPGID, 0, uintptr(s.pgid), 0); e != 0 {
		goto failed
	}
	s.joined = true
	if s.foreground {
		s.group = s.pgid
		if s.group == 0 {
			r, _, _ = syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
			s.group = int32(r)
		}
		// All signals are blocked: a background process is not stopped for it.
		syscall.RawSyscall(syscall.SYS_IOCTL, Terminal, tiocspgrp, uintptr(unsafe.Pointer(&s.group)))
	}
	if !s.outlives {
		syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGKILL), 0)
	}
	for i = 0; i < 3; i++ {
		if _, _, e = syscall.RawSyscall(syscall.SYS_DUP3, uintptr(s.files[i]), uintptr(i), 0); e != 0 {
			goto failed
		}
	}
	if s.dir != nil {
		if _, _, e = syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(s.dir)), 0, 0); e != 0 {
			goto failed
		}
	}
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&s.old)), 0, 8, 0, 0)
	_, _, e = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(s.path)), uintptr(unsafe.Pointer(s.argv)), uintptr(unsafe.Pointer(s.envp)))
failed:
	s.errno = e
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 127, 0, 0)
	}
}
