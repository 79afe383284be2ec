//go:build unix

package pipe

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/internal/termios"
)

// NewScreen returns a Source that is a pseudo-terminal of the size of like for programs that only
// write; their output arrives unchanged.
func NewScreen(c *clock.Clock, like *os.File) (*Source, error) {
	s, err := openTerminal(c, like)
	if err != nil {
		return nil, err
	}
	err = control(s.W, func(fd uintptr) error {
		mode, err := termios.Get(int(fd))
		if err == nil {
			mode.Oflag &^= unix.OPOST
			err = termios.Set(int(fd), mode)
		}
		return err
	})
	if err != nil {
		s.W.Close()
		s.Close()
		return nil, err
	}
	return s, nil
}

// WantsKeys reports whether a program has set the terminal s to give it single keys.
func (s *Source) WantsKeys() (wants bool) {
	control(s.r, func(fd uintptr) error {
		mode, err := termios.Get(int(fd))
		wants = err == nil && mode.Lflag&unix.ICANON == 0
		return nil
	})
	return wants
}

// WriteKeys writes keys to the terminal s, as if the user had typed them there. Keys that stay
// unread for long are lost.
func (s *Source) WriteKeys(keys []byte) (int, error) {
	s.r.SetWriteDeadline(time.Now().Add(time.Second))
	return s.r.Write(keys)
}
