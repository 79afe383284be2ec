//go:build !linux

package unnamed

import (
	"errors"
	"os"
)

// File returns a new file, open for reading and writing. On Windows it has a name.
func File() (*os.File, error) { return unlinked() }

// Named returns a new file, and a path by which other programs can open it. The caller must
// remove it.
func Named() (*os.File, string, error) {
	f, err := os.CreateTemp("", "weft-")
	if err != nil {
		return nil, "", err
	}
	return f, f.Name(), nil
}

// CreateFor returns nothing here.
func CreateFor(string, os.FileMode) (*os.File, bool) { return nil, false }

// Link fails here.
func Link(*os.File, string) error { return errors.ErrUnsupported }
