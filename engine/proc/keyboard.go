//go:build unix

package proc

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoKeyboard means that there is no user to type: weft has no terminal, or is in the background.
var ErrNoKeyboard = errors.New("no keyboard input: there is no terminal, or it belongs to another job")

// Keyboard copies the user's keystrokes to w, unbuffered and without echo, until stop is called.
// Keys that send signals still do. It waits for other users of the terminal, until g is stopped.
func (g *Group) Keyboard(w io.Writer) (stop func(), err error) {
	m := &g.t.term
	release, err := g.Read()
	if err != nil {
		return nil, err
	}
	if err := m.single(g); err != nil {
		release()
		return nil, err
	}
	r, end, err := os.Pipe()
	if err != nil {
		g.Close()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.copyKeys(w, int(r.Fd()))
	}()
	return func() {
		end.Close()
		<-done
		r.Close()
		g.Close() // also restores the settings
	}, nil
}

// single sets the terminal, which weft reads for g, to unbuffered input without echo.
func (m *terminal) single(g *Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Load() == nil || !m.foreground() {
		return ErrNoKeyboard
	}
	m.remember(g)
	if m.saved == nil {
		return ErrNoKeyboard
	}
	mode := *m.saved
	mode.Lflag &^= unix.ICANON | unix.ECHO
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	m.set(m.own, &mode)
	return nil
}

// copyKeys copies keystrokes to w until the other end of the pipe wake is closed.
func (m *terminal) copyKeys(w io.Writer, wake int) {
	buf := make([]byte, 4<<10)
	for {
		fds := []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}, {Fd: int32(m.fd), Events: unix.POLLIN}}
		if foreground, err := unix.IoctlGetInt(m.fd, unix.TIOCGPGRP); err != nil || foreground != m.own {
			fds = fds[:1] // keystrokes are for another job
		}
		if _, err := unix.Poll(fds, int(time.Second/time.Millisecond)); err != nil && err != unix.EINTR || fds[0].Revents != 0 {
			return
		}
		if len(fds) < 2 || fds[1].Revents == 0 {
			continue
		}
		n, err := unix.Read(m.fd, buf)
		if err == syscall.EINTR || err == syscall.EAGAIN {
			continue
		}
		if n <= 0 {
			return
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return
		}
	}
}
