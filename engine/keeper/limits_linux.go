//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// The least that weft needs: it has about ten threads, KEEPER five, and a command at least
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

// refuse says which limit is too low, and exits.
func refuse(what, how string, have, need uint64) {
	b := append(make([]byte, 0, 256), "weft: only "...)
	b = appendInt(b, int32(have))
	b = append(append(b, " "...), what...)
	b = append(append(append(b, " are allowed ("...), how...), "); weft needs "...)
	b = appendInt(b, int32(need))
	b = append(b, " at the least, and commands need more: raise the limit, here or where the session or container is set up\n"...)
	syscall.RawSyscall(syscall.SYS_WRITE, 2, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
}
