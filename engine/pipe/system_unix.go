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
	var fd int
	err := control(f, func(old uintptr) (err error) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
		return os.NewSyscallError("dup", err)
	})
	if err != nil {
		return nil, err
	}
	unix.SetNonblock(fd, false) // as programs expect
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// readNow reads what is in a pipe now, whatever its deadline. If the pipe is empty, the
// error is io.EOF.
func readNow(f *os.File, b []byte) (n int, err error) {
	err = control(f, func(fd uintptr) error {
		for {
			if n, err = unix.Read(int(fd), b); err != unix.EINTR {
				return nil
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case n <= 0:
		return 0, io.EOF
	}
	return n, nil
}

// control calls do with the descriptor of f, whose mode it does not change.
func control(f *os.File, do func(fd uintptr) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := c.Control(func(fd uintptr) { err = do(fd) }); cerr != nil {
		return cerr
	}
	return err
}
