//go:build unix

package report

import (
	"io"
	"os"
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
