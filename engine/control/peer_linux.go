package control

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUser returns the user of the process at the other end.
func peerUser(c syscall.RawConn) (user int, err error) {
	user = -1
	e := c.Control(func(fd uintptr) {
		var who *unix.Ucred
		if who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			user = int(who.Uid)
		}
	})
	if e != nil {
		err = e
	}
	return user, err
}
