//go:build unix

package statefile

import (
	"os"
	"syscall"
)

// LockFile locks an open file. If another process has the lock, it waits, or returns
// [ErrLocked] if wait is false.
func LockFile(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

// UnlockFile unlocks a file.
func UnlockFile(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// Unlockable reports whether err means that the file system does not support locks.
func Unlockable(err error) bool {
	return err == syscall.ENOLCK || err == syscall.EOPNOTSUPP || err == syscall.ENOSYS || err == syscall.EINVAL
}
