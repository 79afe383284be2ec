package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// clone makes dst, which is empty, share the content of src (FICLONE: btrfs, XFS, bcachefs and
// others).
func clone(dst, src *os.File) error {
	return unix.IoctlFileClone(int(dst.Fd()), int(src.Fd()))
}

// cannotClone reports whether err means that no other file could be cloned either.
func cannotClone(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EXDEV)
}

// bootID returns an identifier that changes with each start of the system.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b))
}

// inodeOf returns the identity of a file on its file system.
func inodeOf(st fs.FileInfo) uint64 {
	if raw, ok := st.Sys().(*syscall.Stat_t); ok {
		return raw.Ino
	}
	return 0
}
