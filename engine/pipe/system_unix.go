//go:build unix

package pipe

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Dup duplicates f, for a program. Dup of nil is nil.
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
	unix.SetNonblock(fd, false) // as programs expect
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// readNow reads what is in a pipe now, whatever its deadline. If the pipe is empty, the
// error is io.EOF.
func readNow(f *os.File, b []byte) (n int, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = unix.EINTR
	for err == unix.EINTR {
		if cerr := c.Control(func(fd uintptr) { n, err = unix.Read(int(fd), b) }); cerr != nil {
			return 0, cerr
		}
	}
	if n <= 0 {
		return 0, io.EOF
	}
	return n, nil
}
