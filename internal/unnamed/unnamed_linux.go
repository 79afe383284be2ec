// Package unnamed makes temporary files without names: they disappear when the last
// descriptor is closed, however the program ends.
package unnamed

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File returns a new file, open for reading and writing. If the file system of the temporary
// directory does not support files without names, the file is created and unlinked. If that is
// impossible, it is in memory.
func File() (*os.File, error) {
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "temporary"), nil
	}
	f, err := unlinked()
	if err == nil {
		return f, nil
	}
	if fd, e := unix.MemfdCreate("weft", unix.MFD_CLOEXEC); e == nil {
		return os.NewFile(uintptr(fd), "temporary"), nil
	}
	return nil, err
}

// Named returns a new file, and a path by which other programs of this user can open it as
// long as it is open.
func Named() (*os.File, string, error) {
	f, err := File()
	if err != nil {
		return nil, "", err
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	if _, err := os.Stat(path); err != nil {
		f.Close()
		return nil, "", err
	}
	return f, path, nil
}

// CreateFor returns a new file, open for writing, in the directory of path; Name gives it that
// name. ok is false if the system does not support that.
func CreateFor(path string, perm os.FileMode) (f *os.File, ok bool) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, uint32(perm.Perm()))
	if err != nil {
		return nil, false
	}
	f = os.NewFile(uintptr(fd), path)
	if _, err := os.Stat(self(f)); err != nil {
		f.Close()
		return nil, false
	}
	return f, true
}

// Link gives a file of For its name. It returns an error if a file of that name exists.
func Link(f *os.File, path string) error {
	err := unix.Linkat(unix.AT_FDCWD, self(f), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: "temporary", New: path, Err: err}
	}
	return nil
}

func self(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
