package shell

import "golang.org/x/sys/unix"

// Requests of ioctl for a terminal's settings.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
