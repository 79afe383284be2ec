//go:build unix

package keeper

import "syscall"

// Continues reports whether s may continue stopped programs.
func (s *Signal) Continues() bool {
	return s.Scope != OutsideScope && (s.Cont || s.Signal == uint8(syscall.SIGCONT))
}
