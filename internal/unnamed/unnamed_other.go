//go:build !linux

package unnamed

import "os"

// File returns a new file, open for reading and writing. On Windows it has a name
// until it is closed.
func File() (*os.File, error) { return unlinked() }
