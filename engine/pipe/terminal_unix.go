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
