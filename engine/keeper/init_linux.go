//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// Available tells that this system has KEEPER. Elsewhere programs are started
// by weft itself, and what they leave behind is not followed.
const Available = true

// IgnoreQuit in KEEPER's environment, set to "1", keeps SIGQUIT ignored in
// programs. Go leaves only SIGINT and SIGHUP as they were.
const IgnoreQuit = "WF_IGNORE_QUIT"

// init becomes KEEPER if this process was started to be it. Anywhere else it
// costs three system calls.
func init() {
	var kind int32
	size := uint32(unsafe.Sizeof(kind))
	_, _, e := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, Control, syscall.SOL_SOCKET, syscall.SO_TYPE,
		uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(&size)), 0)
	if e == 0 && kind == syscall.SOCK_SEQPACKET && calledKeeper() {
		serve()
	}
	checkLimits()
}

// calledKeeper reports whether argv[0] is Name: somebody else may have given
// weft a socket of that kind.
func calledKeeper() bool {
	fd := open("/proc/self/cmdline\x00")
	if fd < 0 {
		return false
	}
	var b [len(Name) + 1]byte
	n := read(fd, b[:])
	closeFD(fd)
	return n == len(b) && string(b[:len(Name)]) == Name && b[len(Name)] == 0
}

const (
	prSetName           = 15
	prSetChildSubreaper = 36
	sysCloseRange       = 436
	closeRangeCloexec   = 4
)

// prepare makes the process what its name says. Every descriptor above the
// standard ones is closed on exec, the control socket before all: a program
// that held it would keep KEEPER from learning of ENGINE's death.
func prepare() {
	disregardSignals()
	name := [memberName]byte{}
	copy(name[:], Name)
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetName, uintptr(unsafe.Pointer(&name)), 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	// If ENGINE is gone KEEPER has work to do, also if somebody has stopped it.
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGCONT), 0)
	if _, _, e := syscall.RawSyscall(sysCloseRange, Control, uintptr(^uint32(0)), closeRangeCloexec); e != 0 {
		for fd := Control; fd < 256; fd++ {
			syscall.CloseOnExec(fd)
		}
	}
	// The reaper waits in a system call; a handler would only be run for nothing.
	var dfl sigaction
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
	if v, _ := syscall.Getenv(IgnoreQuit); v == "1" {
		ignore := sigaction{handler: 1}
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGQUIT), uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	}
}

// outside are the signals that reach KEEPER when somebody ends or stops all of a
// session, a container or a service: weft and its programs get them, too.
var outside = [...]syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

// disregardSignals has such signals do nothing: as long as ENGINE lives it is
// ENGINE's to say what happens, and KEEPER's to do it. They are not ignored, which
// programs would inherit, but have a handler, which becomes the default in each.
// Those that are ignored stay so.
func disregardSignals() {
	var h sigaction // the runtime's, with all that a handler needs
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGTERM), 0, uintptr(unsafe.Pointer(&h)), 8, 0, 0)
	h.handler = disregardPC()
	for _, sig := range outside {
		var old sigaction
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if old.handler != 1 {
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&h)), 0, 8, 0, 0)
		}
	}
}

// disregardPC returns the address of a handler that does nothing.
func disregardPC() uintptr

// blockSignals blocks the signals of the calling thread, and so of the children
// it makes until they are ready for them. Not SIGCHLD: while that is blocked the
// kernel takes it for wanted, and wakes another thread to find that it is not.
func (k *keeper) blockSignals() {
	all := ^uint64(1 << (syscall.SIGCHLD - 1))
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&k.mask)), 8, 0, 0)
}

// schedAttr is struct sched_attr of sched_setattr(2), version 0.
type schedAttr struct {
	size, policy              uint32
	flags                     uint64
	nice                      int32
	priority                  uint32
	runtime, deadline, period uint64
}

const (
	schedResetOnFork = 1
	sliceNanos       = 100_000 // the shortest there is
)

// promptly lets the calling thread have the processor in short slices, and so
// sooner: it does a few system calls at a time, while somebody waits for each of
// them, and would else often stand behind the program it has just started.
// Programs do not inherit it. Kernels before 6.12 ignore it.
func promptly() {
	var a schedAttr
	_, _, e := syscall.RawSyscall6(sysSchedGetattr, 0, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a), 0, 0, 0)
	if e != 0 || a.policy != 0 || a.nice < 0 {
		return // children would lose their priority, too
	}
	a.flags |= schedResetOnFork
	a.runtime = sliceNanos
	syscall.RawSyscall(sysSchedSetattr, 0, uintptr(unsafe.Pointer(&a)), 0)
}

// open opens a file for reading; name ends with a zero byte. It returns the
// descriptor, or an error number below zero.
func open(name string) int { return openAt(unsafe.StringData(name), 0) }

const atFDCWD = -100

func openAt(name *byte, flags int) int {
	dir := atFDCWD
	r, _, e := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(name)), uintptr(flags|syscall.O_RDONLY|syscall.O_CLOEXEC), 0, 0, 0)
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

// read returns how many bytes were read, or -1.
func read(fd int, b []byte) int {
	for {
		r, _, e := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch e {
		case 0:
			return int(r)
		case syscall.EINTR:
		default:
			return -1
		}
	}
}

func closeFD(fd int) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

func kill(pid int32, sig uint8) syscall.Errno {
	_, _, e := syscall.RawSyscall(syscall.SYS_KILL, uintptr(int(pid)), uintptr(sig), 0)
	return e
}
