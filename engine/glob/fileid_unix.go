//go:build unix && !(linux && (amd64 || arm64))

package glob

import (
	"io/fs"
	"syscall"
)

// fileNumber returns the identity of a file on its device; 0 if there is none.
func fileNumber(_ string, info fs.FileInfo) uint64 {
	if raw, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(raw.Ino)
	}
	return 0
}
