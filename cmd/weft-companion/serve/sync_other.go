//go:build !linux

package serve

import (
	"errors"
	"os"
)

// syncAll has everything on the file system of f written to the disk.
func syncAll(*os.File) error { return errors.ErrUnsupported }
