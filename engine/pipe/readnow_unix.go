//go:build unix

package pipe

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// readNow reads what is in a pipe at this moment, whatever its deadline; with
// nothing there the error is io.EOF.
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
