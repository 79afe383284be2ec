//go:build unix

package pipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

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

// readNow reads what is in a pipe now, whatever its deadline. If the pipe is empty, the
// error is io.EOF.
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
	master, slave, err := pty.Open()
	if err != nil {
		return nil, err
	}
	pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80})
	if like != nil {
		copySize(master, like)
	}
	s := &Source{W: slave, r: master, clock: c, ended: make(chan struct{}), terminal: true}
	// An end of file for programs that read: nobody types here.
	io.WriteString(master, "\x04")
	terminals.add(s, like)
	return s, nil
}

func copySize(to, from *os.File) {
	size, err := unix.IoctlGetWinsize(int(from.Fd()), unix.TIOCGWINSZ)
	if err == nil {
		unix.IoctlSetWinsize(int(to.Fd()), unix.TIOCSWINSZ, size)
	}
}

// terminals holds the open terminals, each with the terminal whose size it follows.
var terminals openTerminals

type openTerminals struct {
	mu sync.Mutex // guards m
	m  map[*Source]*os.File
}

func (o *openTerminals) add(s *Source, like *os.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m == nil {
		o.m = map[*Source]*os.File{}
	}
	o.m[s] = like
}

func (o *openTerminals) remove(s *Source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.m, s)
}

// ResizeTerminals sets the sizes of the open terminals to that of weft's own.
func ResizeTerminals() {
	terminals.mu.Lock()
	defer terminals.mu.Unlock()
	for s, like := range terminals.m {
		if like != nil {
			copySize(s.r, like)
		}
	}
}

// hungUp reports whether err is the end of a terminal.
func hungUp(err error) bool { return errors.Is(err, syscall.EIO) }

// lineEnds converts the line ends of a terminal to those of a file.
func lineEnds(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
