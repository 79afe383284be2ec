//go:build unix

package ipc

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pair returns the two ends of a socket. Only weft's is non-blocking.
func pair() (own, program *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "ipc"), os.NewFile(uintptr(fds[1]), "ipc"), nil
}

// readNow reads buffered data, regardless of the deadline. If there is none, the error is io.EOF.
func readNow(f *os.File, b []byte) (int, error) {
	n, err := now(f, b, unix.Read)
	if n == 0 && (err == nil || err == unix.EAGAIN) {
		err = io.EOF
	}
	return n, err
}

// writeNow writes as much as fits.
func writeNow(f *os.File, b []byte) (int, error) {
	n, err := now(f, b, unix.Write)
	if err == unix.EAGAIN {
		err = nil
	}
	return n, err
}

// now does one operation without waiting.
func now(f *os.File, b []byte, do func(fd int, b []byte) (int, error)) (n int, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := c.Control(func(fd uintptr) {
		for {
			if n, err = do(int(fd), b); err != unix.EINTR {
				return
			}
		}
	})
	if cerr != nil {
		return 0, cerr
	}
	return max(n, 0), err
}

// closeWrite ends the stream to the program.
func closeWrite(f *os.File) {
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
}
