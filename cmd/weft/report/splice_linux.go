package report

import (
	"os"

	"golang.org/x/sys/unix"
)

// splice shows the bytes of f from off to end without copying them, which the
// system can do when the stream is a pipe. It returns how far it got; what is
// left must be written, and the writing tells what is wrong.
func (o *Out) splice(f *os.File, off, end int64) int64 {
	to := o.file()
	if to == nil || o.err != nil {
		return off
	}
	// Not to.Fd(): it would change the mode of a stream that others have, too.
	c, err := to.SyscallConn()
	if err != nil {
		return off
	}
	c.Control(func(fd uintptr) {
		for off < end {
			n, err := unix.Splice(int(f.Fd()), &off, int(fd), nil, int(min(end-off, 1<<30)), 0)
			if err != unix.EINTR && n <= 0 {
				break
			}
		}
	})
	return off
}
