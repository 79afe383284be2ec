package proc

import (
	"errors"
	"io"
)

// ErrNoKeyboard means that keystrokes cannot be copied.
var ErrNoKeyboard = errors.New("no keyboard input: it is not supported on this system")

// Keyboard fails.
func (g *Group) Keyboard(io.Writer) (stop func(), err error) { return nil, ErrNoKeyboard }
