//go:build unix

package socket

import (
	"os"

	"golang.org/x/sys/unix"
)

// inheritable returns a copy of a socket that programs inherit as it is: package os does not
// know of the mode that it is in, and so never changes it.
func inheritable(l interface{ File() (*os.File, error) }) (*os.File, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0) // Fd makes it blocking
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Renew prepares the socket for the next program: it blocks, as systemd hands it over, whatever
// the program before has made of it. None may use it at that time.
func (l *Listener) Renew() error {
	return os.NewSyscallError("fcntl", unix.SetNonblock(int(l.File.Fd()), false))
}
