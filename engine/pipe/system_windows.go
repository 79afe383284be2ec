package pipe

import (
	"errors"
	"io"
	"os"

	"github.com/weftrun/weft/engine/clock"
)

// Dup fails: tasks cannot be members of pipes on this system.
func Dup(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, nil
	}
	return nil, errors.ErrUnsupported
}

// readNow returns io.EOF: pipes have no deadlines here.
func readNow(*os.File, []byte) (int, error) { return 0, io.EOF }

// NewTerminal fails: there are no pseudo-terminals here.
func NewTerminal(*clock.Clock, *os.File) (*Source, error) {
	return nil, errors.New("tty is not supported on this system")
}

// NewScreen fails: there are no pseudo-terminals here.
func NewScreen(*clock.Clock, *os.File) (*Source, error) { return nil, errors.ErrUnsupported }

// WantsKeys reports false.
func (s *Source) WantsKeys() bool { return false }

// WriteKeys fails.
func (s *Source) WriteKeys([]byte) (int, error) { return 0, errors.ErrUnsupported }

// ResizeTerminals does nothing.
func ResizeTerminals() {}
