//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// Available reports whether this system has KEEPER. Elsewhere weft starts programs itself,
// and does not know their leftovers.
const Available = true

// IgnoreQuit is a variable of KEEPER's environment. If it is "1", SIGQUIT is ignored in
// programs. Go preserves only ignored SIGINT and SIGHUP.
const IgnoreQuit = "WF_IGNORE_QUIT"

// init runs KEEPER if this process was started as KEEPER. Otherwise it costs three system
// calls.
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

// calledKeeper reports whether argv[0] is Name: weft itself may inherit a socket of that
// kind.
func calledKeeper() bool {
	fd := openAt(unsafe.StringData("/proc/self/cmdline\x00"), 0)
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

// prepare sets up the process: its name, signals and descriptors. All descriptors above the
// standard ones are closed on exec, most of all the control socket: if a program had it,
// KEEPER would not notice ENGINE's death.
func prepare() {
	disregardSignals()
	name := [memberName]byte{}
	copy(name[:], Name)
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetName, uintptr(unsafe.Pointer(&name)), 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	// KEEPER must continue when ENGINE dies, even if it was stopped by a signal.
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetPdeathsig, uintptr(syscall.SIGCONT), 0)
	if _, _, e := syscall.RawSyscall(sysCloseRange, Control, uintptr(^uint32(0)), closeRangeCloexec); e != 0 {
		for fd := Control; fd < 256; fd++ {
			syscall.CloseOnExec(fd)
		}
	}
	// The reaper waits in a system call and needs no handler.
	var dfl sigaction
	setAction(syscall.SIGCHLD, &dfl)
	if v, _ := syscall.Getenv(IgnoreQuit); v == "1" {
		setAction(syscall.SIGQUIT, &sigaction{handler: ignored})
	}
}

// sharedSignals may be sent to a whole session, container or service: then ENGINE and the programs
// get them, too.
var sharedSignals = [...]syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}

// disregardSignals makes these signals have no effect: ENGINE decides what to do, and sends
// requests. It sets a handler, which exec resets to the default; if the signals were
// ignored, programs would inherit that. Signals that are ignored already stay so.
func disregardSignals() {
	h := action(syscall.SIGTERM) // that of the runtime, with all required fields
	h.handler = disregardPC()
	for _, sig := range sharedSignals {
		if action(sig).handler != ignored {
			setAction(sig, &h)
		}
	}
}

// ignored is the handler of a signal that is ignored.
const ignored = 1

// action returns the action for a signal.
func action(sig syscall.Signal) (a sigaction) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&a)), 8, 0, 0)
	return a
}

// setAction sets the action for a signal.
func setAction(sig syscall.Signal, a *sigaction) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(a)), 0, 8, 0, 0)
}

// disregardPC returns the address of a handler that does nothing.
func disregardPC() uintptr

// blockSignals blocks signals in the calling thread, and so in its children until they
// unblock them. It leaves SIGCHLD alone: if that is blocked, the kernel treats it as wanted
// and wakes another thread for nothing.
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

// useShortSlices gives the calling thread shorter time slices, and so less latency: it makes
// a few system calls at a time, each of which delays ENGINE, and would often have to wait for the
// program that it has just started. Programs do not inherit that. Kernels before 6.12 ignore it.
func useShortSlices() {
	var a schedAttr
	_, _, e := syscall.RawSyscall6(sysSchedGetattr, 0, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a), 0, 0, 0)
	if e != 0 || a.policy != 0 || a.nice < 0 {
		return // children would lose their priority
	}
	a.flags |= schedResetOnFork
	a.runtime = sliceNanos
	syscall.RawSyscall(sysSchedSetattr, 0, uintptr(unsafe.Pointer(&a)), 0)
}

const atFDCWD = -100

// openAt opens a file for reading. The name ends with a zero byte. openAt returns the
// descriptor, or a negative error number.
func openAt(name *byte, flags int) int {
	dir := atFDCWD
	r, _, e := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(name)), uintptr(flags|syscall.O_RDONLY|syscall.O_CLOEXEC), 0, 0, 0)
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

// read reads into b. It returns the number of bytes, or -1.
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

// The minimum for weft: it has about ten threads, KEEPER five, and a command at least
// one process. With less, the Go runtime crashes when it needs a thread or a descriptor,
// and the user gets no proper message.
const (
	leastProcesses   = 24
	leastDescriptors = 16

	rlimitProcesses   = 6
	rlimitDescriptors = 7
)

// checkLimits exits with a message if the limits are too low. The number of processes is not
// limited for the superuser.
func checkLimits() {
	if _, most := limit(rlimitDescriptors); most < leastDescriptors {
		refuse("open files", "ulimit -n", most, leastDescriptors)
	}
	if now, _ := limit(rlimitProcesses); now < leastProcesses {
		if user, _, _ := syscall.RawSyscall(syscall.SYS_GETEUID, 0, 0, 0); user != 0 {
			refuse("processes and threads of a user", "ulimit -u", now, leastProcesses)
		}
	}
}

// limit returns the soft and the hard limit of a resource, or the largest number if they are
// unknown. The Go runtime raises the limit of descriptors to the hard one.
func limit(of uintptr) (now, most uint64) {
	var l struct{ cur, max uint64 }
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, of, 0, uintptr(unsafe.Pointer(&l)), 0, 0); e != 0 {
		return ^uint64(0), ^uint64(0)
	}
	return l.cur, l.max
}

// refuse prints which limit is too low, and exits.
func refuse(what, how string, have, need uint64) {
	b := append(make([]byte, 0, 256), "weft: only "...)
	b = appendInt(b, int32(have))
	b = append(append(b, " "...), what...)
	b = append(append(append(b, " are allowed ("...), how...), "); weft needs "...)
	b = appendInt(b, int32(need))
	b = append(b, " at least, and commands need more: raise the limit here, or in the settings of the session or container\n"...)
	syscall.RawSyscall(syscall.SYS_WRITE, 2, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
}
