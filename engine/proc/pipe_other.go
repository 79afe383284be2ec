//go:build !linux

package proc

import (
	"errors"
	"os"
)

// EnlargePipe gives the pipe that f is an end of a buffer of size bytes, as far
// as the system lets it: here, not at all.
func EnlargePipe(*os.File, int) error { return errors.ErrUnsupported }
