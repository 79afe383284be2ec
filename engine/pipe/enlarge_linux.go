package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// enlarge gives the pipe that f is an end of a buffer of size bytes, if the system
// allows it. It leaves the mode of f alone.
func enlarge(f *os.File, size int) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := c.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) }); cerr != nil {
		return cerr
	}
	return err
}
