//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// mayBe reports whether a file in dir is one of those that whose says.
func mayBe(file fs.FileInfo, dir string, whose owners) bool {
	st, ok := file.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return ok
	}
	if whose == oursOnly {
		return false
	}
	in, err := os.Stat(dir)
	if err != nil || in.Mode().Perm()&0o002 == 0 {
		return err == nil
	}
	at, ok := in.Sys().(*syscall.Stat_t)
	return ok && at.Uid == st.Uid
}
