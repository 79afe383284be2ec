//go:build unix

package fifo

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const nonblock = syscall.O_NONBLOCK

// Open is os.OpenFile, but stops waiting for the other end of a named pipe when ctx is done,
// and returns its cause.
func Open(ctx context.Context, path string, flag int, perm os.FileMode) (*os.File, error) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return os.OpenFile(path, flag, perm)
	}
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(path, flag, perm)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
	}
	// Open the other end for a moment, to end the wait. If that is not permitted, a
	// goroutine keeps waiting.
	if other, err := os.OpenFile(path, os.O_RDWR|nonblock, 0); err == nil {
		if o := <-done; o.f != nil {
			o.f.Close()
		}
		other.Close()
	}
	return nil, context.Cause(ctx)
}
