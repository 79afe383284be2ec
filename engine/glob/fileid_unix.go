//go:build unix && !(linux && (amd64 || arm64))

package glob

import (
	"io/fs"
	"syscall"
)

// fileID returns what tells a file from others: of its device, and its number
// there; zeroes if there is no such thing.
func fileID(_ string, info fs.FileInfo) (dev, ino uint64) {
	if raw, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(raw.Dev), uint64(raw.Ino)
	}
	return 0, 0
}
