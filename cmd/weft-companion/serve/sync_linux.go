package serve

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll has everything on the file system of f written to the disk.
func syncAll(f *os.File) error { return unix.Syncfs(int(f.Fd())) }
