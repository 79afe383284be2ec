package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// ForPrograms makes a pipe of which both ends are for programs. What weft itself
// reads or writes there holds a thread, and is given up only when the other end is
// closed.
//
// It is kept from epoll(7), which Go waits for its own pipes by: once a pipe was
// looked at so, every write to it wakes its readers, whether they wait or not
// (poll_usage in the kernel's fs/pipe.c), which costs a program that writes 4 KiB
// at a time 2 % of its throughput.
func ForPrograms() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1"), nil
}

// enlarge gives the pipe that f is an end of a buffer of size bytes, if the system
// allows it. It leaves the mode of f alone.
func enlarge(f *os.File, size int) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := c.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) }); cerr != nil {
		return cerr
	}
	return err
}
