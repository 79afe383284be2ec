//go:build unix

package tui

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/termios"
)

// terminal is the terminal of the whole screen. The zero value is ready to use.
//
// A program that turns the echo off for a password reads the settings of the terminal first, and is
// stopped when it changes them, until the terminal is lent to it. Then it sets what it has read, those
// of the whole screen: without lines, erase keys and signals of keys. So these settings are replaced
// for as long as the terminal is lent, by the user's own without the echo: also when the program has its
// answer and sets again what it has read, because the next prompt may be for a password, too.
type terminal struct {
	whole unix.Termios // settings while the whole screen is shown
}

// keepEnter has the Enter key end lines while the whole screen is shown, too: it makes the settings
// differ from those of programs that want to read single keys.
func (t *terminal) keepEnter() {
	fd := int(os.Stdin.Fd())
	now, err := termios.Get(fd)
	if err != nil {
		return
	}
	if now.Iflag&unix.ICRNL == 0 {
		now.Iflag |= unix.ICRNL
		termios.Set(fd, now)
	}
	t.whole = *now
}

// leave is called before others use the terminal, when it has the user's settings. Signals of its keys
// do not end this program meanwhile. What it returns makes sure that this program has the terminal
// again: a run that was killed has not given it back.
func (t *terminal) leave() (ended func()) {
	signal.Ignore(syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTOU) // SIGINT is ignored by package tea
	over, watched := make(chan struct{}), make(chan struct{})
	users, err := termios.Get(int(os.Stdin.Fd())) // before anybody else has the terminal
	go func() {
		defer close(watched)
		if err == nil && !t.isWhole(users) {
			t.watch(*users, over)
		}
	}()
	return func() {
		close(over)
		<-watched
		unix.IoctlSetPointerInt(int(os.Stdin.Fd()), unix.TIOCSPGRP, syscall.Getpgrp())
		signal.Reset(syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTOU)
	}
}

// lookInterval is the interval at which the settings of a lent terminal are looked at. People type
// more slowly.
const lookInterval = 5 * time.Millisecond

// watch replaces the settings of the whole screen by the user's own without the echo, until over is
// closed; see [terminal].
func (t *terminal) watch(unseen unix.Termios, over <-chan struct{}) {
	fd := int(os.Stdin.Fd())
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	unseen.Lflag &^= echoes
	for {
		select {
		case <-over:
			return
		case <-looks.C:
			if now, err := termios.Get(fd); err == nil && t.isWhole(now) {
				termios.Set(fd, &unseen)
			}
		}
	}
}

// echoes are the settings that a program may change to turn the echo off.
const echoes = unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL

// isWhole reports whether now are the settings of the whole screen, whatever they echo.
func (t *terminal) isWhole(now *unix.Termios) bool {
	return now.Iflag == t.whole.Iflag && now.Oflag == t.whole.Oflag && now.Cflag == t.whole.Cflag && (now.Lflag^t.whole.Lflag)&^echoes == 0 && now.Cc == t.whole.Cc
}
