//go:build unix

package control

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// isOurs reports whether a file belongs to this user.
func isOurs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// refused reports whether an error means that there is no listener.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// lost reports whether an error is that the other end of a connection is gone.
func lost(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) }
