//go:build unix

package main

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/termios"
)

// keys reads single keys from the terminal while no command runs.
type keys struct {
	fd   int
	wake [2]*os.File
	got  func(key byte)

	mu   sync.Mutex // guards the fields below
	on   bool
	mode *unix.Termios // the settings to restore; nil while nothing is read
	done chan struct{} // closed when the reading has ended
}

// newKeys returns the keys of a terminal, or nil if f is not a terminal.
func newKeys(f *os.File, got func(key byte)) *keys {
	if _, err := termios.Get(int(f.Fd())); err != nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	return &keys{fd: int(f.Fd()), wake: [2]*os.File{r, w}, got: got}
}

// listen starts reading, unless weft is not in the foreground.
func (k *keys) listen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.on {
		return
	}
	if fg, err := unix.IoctlGetInt(k.fd, unix.TIOCGPGRP); err != nil || fg != unix.Getpgrp() {
		return
	}
	mode, err := termios.Get(k.fd)
	if err != nil {
		return
	}
	single := *mode
	single.Lflag &^= unix.ICANON | unix.ECHO // Ctrl-C and Ctrl-Z still send signals
	single.Cc[unix.VMIN], single.Cc[unix.VTIME] = 1, 0
	if termios.Set(k.fd, &single) != nil {
		return
	}
	k.on, k.mode, k.done = true, mode, make(chan struct{})
	go k.read(k.done)
}

// pause ends the reading, and returns when the terminal's settings are restored.
func (k *keys) pause() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.on {
		return
	}
	k.on = false
	k.wake[1].Write([]byte{0})
	<-k.done
	termios.Set(k.fd, k.mode)
}

func (k *keys) read(done chan struct{}) {
	defer close(done)
	wake := int32(k.wake[0].Fd())
	for {
		fds := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}, {Fd: wake, Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		b := make([]byte, 1)
		if fds[1].Revents != 0 {
			unix.Read(int(wake), b)
			return
		}
		if fds[0].Revents == 0 {
			continue
		}
		n, err := unix.Read(k.fd, b)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if n <= 0 {
			k.forget()
			return
		}
		go k.got(b[0]) // it may call pause
	}
}

// forget ends the reading of a terminal that is gone.
func (k *keys) forget() {
	go func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.on = false
	}()
}
