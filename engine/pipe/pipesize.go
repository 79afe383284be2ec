package pipe

import (
	"os"
	"sync/atomic"
)

const (
	largeSize = 1 << 20
	maxLarge  = 16
)

// Large counts the pipes of a run that were given 1 MiB instead of the usual
// 64 KiB: more bytes a switch between two programs. A user may have only so many
// of them before new pipes become tiny, so a run has 16 at the most. The zero
// value counts none. It is safe for concurrent use.
type Large struct{ n atomic.Int32 }

// Enlarge makes the pipe that f is an end of a large one, and reports whether it
// did; then Release is due when the pipe is closed. It may always be refused.
func (l *Large) Enlarge(f *os.File) bool {
	if l.n.Add(1) <= maxLarge && enlarge(f, largeSize) == nil {
		return true
	}
	l.n.Add(-1)
	return false
}

// Release says that one of the large pipes is closed.
func (l *Large) Release() { l.n.Add(-1) }
