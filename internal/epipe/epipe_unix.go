//go:build !windows

// Package epipe recognises the error of writing to a pipe without readers.
package epipe

import (
	"errors"
	"syscall"
)

// Is reports whether err is the error of writing to a pipe without readers.
func Is(err error) bool { return errors.Is(err, syscall.EPIPE) }
