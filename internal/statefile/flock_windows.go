package statefile

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// LockFile locks an open file. If another process has the lock, it waits, or returns
// [ErrLocked] if wait is false.
func LockFile(f *os.File, wait bool) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	// The lock is beyond the content of the file, which others may read.
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return syscall.EWOULDBLOCK
	}
	return err
}

// UnlockFile unlocks a file.
func UnlockFile(f *os.File) {
	windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
}

// Unlockable reports whether err means that the file system does not support locks.
func Unlockable(err error) bool {
	return err == windows.ERROR_NOT_SUPPORTED || err == windows.ERROR_INVALID_FUNCTION
}
