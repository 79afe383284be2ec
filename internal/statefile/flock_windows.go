package statefile

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// LockFile takes the lock of an open file; with wait false it fails with
// [ErrLocked] when somebody else has it.
func LockFile(f *os.File, wait bool) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	// The lock lies behind what the file may hold: others may read that.
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return syscall.EWOULDBLOCK
	}
	return err
}

// UnlockFile lets go what LockFile took.
func UnlockFile(f *os.File) {
	windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
}

// Unlockable reports whether the file system has no locks: then we do without.
func Unlockable(err error) bool {
	return err == windows.ERROR_NOT_SUPPORTED || err == windows.ERROR_INVALID_FUNCTION
}
