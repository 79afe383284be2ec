//go:build unix

package fifo

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const nonblock = syscall.O_NONBLOCK

// absent returns the error of opening the file at path if there is none. Opening a missing file
// takes half as long again as a stat.
func absent(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err == unix.ENOENT {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// OpenOnce opens the file at path to be read once. Unlike os.Open it does not register the file for
// polling, which takes longer than reading a small file; a named pipe is read by a thread that
// waits.
func OpenOnce(path string) (*os.File, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case unix.EINTR:
		default:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Open is os.OpenFile, but stops waiting for the other end of a named pipe when ctx is done,
// and returns its cause.
func Open(ctx context.Context, path string, flag int, perm os.FileMode) (*os.File, error) {
	var st unix.Stat_t
	switch err := unix.Stat(path, &st); {
	case err == unix.ENOENT && flag&os.O_CREATE == 0:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	case err != nil, st.Mode&unix.S_IFMT != unix.S_IFIFO:
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
