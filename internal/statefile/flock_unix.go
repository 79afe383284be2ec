//go:build unix

package statefile

import (
	"os"
	"syscall"
)

// LockFile takes the lock of an open file; with wait false it fails with
// [ErrLocked] when somebody else has it.
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

// UnlockFile lets go what LockFile took.
func UnlockFile(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// Unlockable reports whether the file system has no locks: then we do without.
func Unlockable(err error) bool {
	return err == syscall.ENOLCK || err == syscall.EOPNOTSUPP || err == syscall.ENOSYS || err == syscall.EINVAL
}
