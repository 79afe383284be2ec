//go:build unix

package keeper

import "syscall"

// Continues reports whether s continues what is stopped.
func (s *Signal) Continues() bool { return s.Cont || s.Signal == uint8(syscall.SIGCONT) }
