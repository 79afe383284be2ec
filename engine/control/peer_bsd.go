//go:build darwin || freebsd

package control

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUser returns the user of the process at the other end.
func peerUser(c syscall.RawConn) (user int, err error) {
	const local = 0 // SOL_LOCAL
	user = -1
	e := c.Control(func(fd uintptr) {
		var who *unix.Xucred
		if who, err = unix.GetsockoptXucred(int(fd), local, unix.LOCAL_PEERCRED); err == nil {
			user = int(who.Uid)
		}
	})
	if e != nil {
		err = e
	}
	return user, err
}
