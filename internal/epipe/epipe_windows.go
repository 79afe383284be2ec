// Package epipe recognises the error of writing to a pipe without readers.
package epipe

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/windows"
)

// Is reports whether err is the error of writing to a pipe without readers.
func Is(err error) bool {
	closed := []syscall.Errno{syscall.EPIPE, windows.ERROR_BROKEN_PIPE, windows.ERROR_NO_DATA, windows.ERROR_PIPE_NOT_CONNECTED}
	code, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(closed, code)
}
