//go:build unix && !(linux && (amd64 || arm64))

package glob

import (
	"io/fs"
	"syscall"
)

// fileNumber returns what tells a file from others on its device; 0 if there is no such
// thing.
func fileNumber(_ string, info fs.FileInfo) uint64 {
	if raw, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(raw.Ino)
	}
	return 0
}
