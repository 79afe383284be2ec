package report

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamed returns a new file that no directory names. Where the file system of
// the temporary directory cannot do that it is created and unlinked.
func unnamed() (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "spill"), nil
	}
	return unlinked()
}
