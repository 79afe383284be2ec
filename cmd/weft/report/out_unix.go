//go:build unix

package report

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waitWritable returns when w takes bytes again.
func waitWritable(w io.Writer) error {
	f, ok := w.(*os.File)
	if !ok {
		time.Sleep(time.Millisecond) // a writer of unknown kind: nothing to wait on
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	_, err := unix.Poll(fds, -1)
	if err == unix.EINTR {
		return nil
	}
	return err
}

// Probe looks whether anybody still reads o, of which only commands that
// inherited the stream may know.
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
