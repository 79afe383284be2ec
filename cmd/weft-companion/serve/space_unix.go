//go:build linux || darwin || freebsd

package serve

import (
	"os"

	"golang.org/x/sys/unix"
)

// diskSpace returns how many bytes the file system of f has, and how many are free for this user.
// ok is false if the system does not say.
func diskSpace(f *os.File) (total, free int64, ok bool) {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return 0, 0, false
	}
	return int64(st.Blocks) * int64(st.Bsize), int64(st.Bavail) * int64(st.Bsize), true
}
