//go:build unix

package keeper

import "syscall"

// Continues reports whether s continues programs that may be stopped.
func (s *Signal) Continues() bool {
	return s.Scope != BeyondScope && (s.Cont || s.Signal == uint8(syscall.SIGCONT))
}
