//go:build !windows

package epipe

import (
	"errors"
	"syscall"
)

func is(err error) bool { return errors.Is(err, syscall.EPIPE) }
