package pipe

import (
	"os"
	"sync/atomic"
)

// NewPipes makes n pipes of which weft itself has one end each.
func NewPipes(n int) (readers, writers []*os.File, err error) {
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			CloseAll(readers, writers)
			return nil, nil, err
		}
		readers, writers = append(readers, r), append(writers, w)
	}
	return readers, writers, nil
}

// CloseAll closes files.
func CloseAll(lists ...[]*os.File) {
	for _, files := range lists {
		for _, f := range files {
			f.Close()
		}
	}
}

const (
	largeSize = 1 << 20
	maxLarge  = 16
)

// Enlarger counts the pipes of a run that hold 1 MiB instead of the usual 64 KiB: then two
// programs switch less often. When a user has too many of them, new pipes become tiny, so a
// run has at most 16. The zero value has counted none. It is safe for concurrent use.
type Enlarger struct{ n atomic.Int32 }

// Enlarge enlarges the pipe that f is an end of, and reports whether it did. If so, Release
// must be called when the pipe is closed. It may always fail.
func (l *Enlarger) Enlarge(f *os.File) bool {
	if l.n.Add(1) <= maxLarge && enlarge(f, largeSize) == nil {
		return true
	}
	l.n.Add(-1)
	return false
}

// Release records that one of the large pipes was closed.
func (l *Enlarger) Release() { l.n.Add(-1) }
