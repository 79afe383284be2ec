//go:build unix && !linux

package shell

import "golang.org/x/sys/unix"

// Requests of ioctl for a terminal's settings.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)
