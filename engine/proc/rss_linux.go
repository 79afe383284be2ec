package proc

import "syscall"

// maxRSS is in bytes; Linux counts KiB.
func maxRSS(ru *syscall.Rusage) int64 { return ru.Maxrss << 10 }
