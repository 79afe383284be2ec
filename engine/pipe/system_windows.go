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
	return nil, errors.New("tty: there are no terminals for programs on this system")
}

// ResizeTerminals does nothing.
func ResizeTerminals() {}

type openTerminals struct{}

var terminals openTerminals

func (openTerminals) remove(*Source) {}

func hungUp(error) bool { return false }

func lineEnds(b []byte) []byte { return b }
