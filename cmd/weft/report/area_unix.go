//go:build unix

package report

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/termios"
)

// AreaOf returns an Area for the terminal of stdout and stderr. They write through it after
// [Area.Attach]. It is nil if they are different files or the size of the terminal is unknown.
func AreaOf(stdout, stderr *Out) *Area {
	f := stdout.file()
	if f == nil || device(f) == 0 || device(f) != device(stderr.file()) {
		return nil
	}
	fd, own := int(f.Fd()), unix.Getpgrp()
	ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 {
		return nil
	}
	return newArea(NewOut(f), func() (s winsize) {
		if ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
			s.columns, s.lines = int(ws.Col), int(ws.Row)
		}
		foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if s.foreign = err == nil && foreground != own; s.foreign { // on error it is not weft's controlling terminal
			mode, err := termios.Get(fd)
			s.unseen = err == nil && mode.Lflag&(unix.ECHO|unix.ICANON) != unix.ECHO|unix.ICANON
		}
		return s
	})
}

// device returns the device number of f, or 0.
func device(f *os.File) uint64 {
	if f == nil {
		return 0
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return 0
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	return uint64(st.Rdev)
}
