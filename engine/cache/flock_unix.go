//go:build unix

package cache

import (
	"os"
	"syscall"
)

// flock takes the lock of an open file; with wait false it fails with
// EWOULDBLOCK when somebody else has it.
func flock(f *os.File, wait bool) error {
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

func unlock(f *os.File) { syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// unlockable reports whether the file system has no locks: then we do without.
func unlockable(err error) bool {
	return err == syscall.ENOLCK || err == syscall.EOPNOTSUPP || err == syscall.ENOSYS || err == syscall.EINVAL
}
