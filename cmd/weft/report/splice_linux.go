package report

import (
	"os"

	"golang.org/x/sys/unix"
)

// splice shows the bytes of f from off to end without copying them, if the stream is a pipe. It
// returns the offset it reached; the caller writes the rest and gets the error, if any.
func (o *Out) splice(f *os.File, off, end int64) int64 {
	to := o.file()
	if to == nil || o.err != nil || o.area != nil || o.stamps != nil {
		return off
	}
	// Not to.Fd(), which would change the mode of a shared stream.
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
