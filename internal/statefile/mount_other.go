//go:build !linux

package statefile

import "os"

// searchOnly opens a directory.
const searchOnly = os.O_RDONLY

func modeless(*os.File) bool { return false }

func firstHole(_ *os.File, size int64) int64 { return size }
