//go:build !(linux || darwin || freebsd)

package control

import (
	"os"
	"syscall"
)

// peerUser returns this user: the directory is private.
func peerUser(syscall.RawConn) (user int, err error) { return os.Geteuid(), nil }
