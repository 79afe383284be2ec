//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// What weft needs at the least: it has about ten threads, KEEPER five, and a command
// is one process and more. With less the Go runtime ends the program by a crash, as
// soon as it wants a thread or a descriptor; nothing could be said any more.
const (
	leastProcesses   = 24
	leastDescriptors = 16

	rlimitProcesses   = 6
	rlimitDescriptors = 7
)

// checkLimits ends the program with a message if too little is allowed to it. The
// superuser may have as many processes as there are.
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

// limit returns what is allowed now, and at the most: the runtime raises the number of
// descriptors to that. What is not known is not limited.
func limit(of uintptr) (now, most uint64) {
	var l struct{ cur, max uint64 }
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, of, 0, uintptr(unsafe.Pointer(&l)), 0, 0); e != 0 {
		return ^uint64(0), ^uint64(0)
	}
	return l.cur, l.max
}

// refuse says what is too little, and ends the program.
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
