//go:build unix && !linux

package termios

import "golang.org/x/sys/unix"

const (
	get        = unix.TIOCGETA
	set        = unix.TIOCSETA
	setDrained = unix.TIOCSETAW
)
