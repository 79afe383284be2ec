//go:build !linux

package unnamed

import (
	"errors"
	"os"
)

// File returns a new file, open for reading and writing. On Windows it has a name
// until it is closed.
func File() (*os.File, error) { return unlinked() }

// Named returns a new file and a path that other programs open it by. Nobody removes it
// but who closes it, and not where the process is killed.
func Named() (*os.File, string, error) {
	f, err := os.CreateTemp("", "weft-")
	if err != nil {
		return nil, "", err
	}
	return f, f.Name(), nil
}

// For has nothing to return here.
func For(string, os.FileMode) (*os.File, bool) { return nil, false }

// Name cannot give a name here.
func Name(*os.File, string) error { return errors.ErrUnsupported }
