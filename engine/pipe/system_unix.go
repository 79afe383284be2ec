//go:build unix

package pipe

import (
	"io"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/clock"
)

// Dup duplicates f, for a program. Dup of nil is nil.
func Dup(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, nil
	}
	var fd int
	err := control(f, func(old uintptr) (err error) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
		return os.NewSyscallError("dup", err)
	})
	if err != nil {
		return nil, err
	}
	unix.SetNonblock(fd, false) // as programs expect
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// readNow reads the current content of a pipe, regardless of its deadline. If the pipe is empty,
// the error is io.EOF.
func readNow(f *os.File, b []byte) (n int, err error) {
	err = control(f, func(fd uintptr) error {
		for {
			if n, err = unix.Read(int(fd), b); err != unix.EINTR {
				return nil
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case n <= 0:
		return 0, io.EOF
	}
	return n, nil
}

// control calls do with the descriptor of f, whose mode it does not change.
func control(f *os.File, do func(fd uintptr) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := c.Control(func(fd uintptr) { err = do(fd) }); cerr != nil {
		return cerr
	}
	return err
}

// NewTerminal returns a Source that is a pseudo-terminal: W is the side of programs, which
// may also read it and get an end of file. It has the size of the terminal like, or 80
// columns if like is nil. Read returns lines that end as in a file.
func NewTerminal(c *clock.Clock, like *os.File) (*Source, error) {
	s, err := openTerminal(c, like)
	if err != nil {
		return nil, err
	}
	s.cooked = true
	// An end of file for programs that read: this terminal has no input.
	io.WriteString(s.r, "\x04")
	return s, nil
}

// openTerminal opens a pseudo-terminal of the size of like, see [NewTerminal].
func openTerminal(c *clock.Clock, like *os.File) (*Source, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, err
	}
	pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80})
	copySize(master, like)
	s := &Source{W: slave, r: master, clock: c, ended: make(chan struct{}), terminal: true}
	terminals.Store(s, like)
	return s, nil
}

// copySize gives the terminal the size of from, if from is not nil.
func copySize(to, from *os.File) {
	if from == nil {
		return
	}
	size, err := unix.IoctlGetWinsize(int(from.Fd()), unix.TIOCGWINSZ)
	if err == nil {
		unix.IoctlSetWinsize(int(to.Fd()), unix.TIOCSWINSZ, size)
	}
}

// ResizeTerminals sets the sizes of the open terminals to that of weft's own.
func ResizeTerminals() {
	terminals.Range(func(s, like any) bool {
		copySize(s.(*Source).r, like.(*os.File))
		return true
	})
}
