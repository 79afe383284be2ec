//go:build unix && !linux

package proc

import "syscall"

// maxRSS is in bytes.
func maxRSS(ru *syscall.Rusage) int64 { return int64(ru.Maxrss) }
