//go:build unix

// Package termios gets and sets the settings of terminals, by the requests that each
// system has for it.
package termios

import "golang.org/x/sys/unix"

// Get returns the settings of the terminal fd; an error if it is none.
func Get(fd int) (*unix.Termios, error) { return unix.IoctlGetTermios(fd, get) }

// Set changes the settings at once.
func Set(fd int, t *unix.Termios) error { return unix.IoctlSetTermios(fd, set, t) }

// SetDrained changes the settings when earlier output has been transmitted.
func SetDrained(fd int, t *unix.Termios) error { return unix.IoctlSetTermios(fd, setDrained, t) }
