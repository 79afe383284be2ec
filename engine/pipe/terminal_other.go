//go:build !unix

package pipe

import (
	"errors"
	"os"

	"github.com/weftrun/weft/engine/clock"
)

// NewTerminal fails: there are no such terminals here.
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
