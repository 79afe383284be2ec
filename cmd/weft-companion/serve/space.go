package serve

import (
	"os"
	"sync"
)

// space is the free space of the disk. What is being received has its share before it is written,
// so that nothing is received that cannot be kept. Its methods may be called concurrently.
type space struct {
	dir *os.File // on the file system

	mu       sync.Mutex // guards reserved
	reserved int64      // bytes that are to be written
}

// leftFree returns the bytes that stay free on a file system with total bytes.
func leftFree(total int64) int64 { return min(1<<30, total/20) }

// lacking returns how many bytes would have to be removed before more bytes can be written; 0 if
// they can.
func (s *space) lacking(more int64) int64 {
	total, free, ok := diskSpace(s.dir)
	if !ok {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, leftFree(total)+s.reserved+more-free)
}

// reserve sets n bytes aside, or returns a refusal.
func (s *space) reserve(n int64) error {
	total, free, ok := diskSpace(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && free-s.reserved-n < leftFree(total) {
		return refuse(full, "the disk of the server is full: %d bytes do not fit", n)
	}
	s.reserved += n
	return nil
}

// release gives back n bytes that were set aside: they are written now, or never will be.
func (s *space) release(n int64) {
	s.mu.Lock()
	s.reserved -= n
	s.mu.Unlock()
}
