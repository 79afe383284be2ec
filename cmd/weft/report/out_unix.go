//go:build unix

package report

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waitWritable returns when w accepts bytes again.
func waitWritable(w io.Writer) error {
	f, ok := w.(*os.File)
	if !ok {
		time.Sleep(time.Millisecond) // a writer of unknown kind cannot be polled
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	_, err := unix.Poll(fds, -1)
	if err == unix.EINTR {
		return nil
	}
	return err
}

// Probe checks whether o still has a reader, which weft does not notice if only commands write to
// the inherited stream.
func (o *Out) Probe() {
	f := o.file()
	if f == nil || o.err != nil {
		return
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, 0); err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0 {
		o.err = syscall.EPIPE
	}
}
