package termios

import "golang.org/x/sys/unix"

const (
	get        = unix.TCGETS
	set        = unix.TCSETS
	setDrained = unix.TCSETSW
)
