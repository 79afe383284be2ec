// Package unnamed makes temporary files that no directory names: they are gone when
// the last descriptor is closed, however the program ends.
package unnamed

import (
	"os"

	"golang.org/x/sys/unix"
)

// File returns a new file, open for reading and writing. Where the file system of
// the temporary directory cannot make one without a name it is created and
// unlinked.
func File() (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "temporary"), nil
	}
	return unlinked()
}
