//go:build unix

package schema

import (
	"os"
	"syscall"
)

// ownerOf returns the user a directory belongs to.
func ownerOf(dir string) (uint32, bool) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}

const (
	sigUSR1  = syscall.SIGUSR1
	sigUSR2  = syscall.SIGUSR2
	sigWINCH = syscall.SIGWINCH
)
