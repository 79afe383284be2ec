//go:build unix

package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// Dup returns another descriptor of what f is, for a program; nil of nil.
func Dup(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, nil
	}
	c, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	if cerr := c.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	unix.SetNonblock(fd, false) // as a program wants it
	return os.NewFile(uintptr(fd), f.Name()), nil
}
