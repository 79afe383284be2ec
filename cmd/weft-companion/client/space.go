package client

import (
	"path/filepath"
	"sync"
)

// space is the free space of the disk of the local cache. What is being received has its share
// before it is written. Its methods may be called concurrently.
type space struct {
	dir string

	mu       sync.Mutex // guards reserved
	reserved int64      // bytes that are to be written
}

// reserve sets n bytes aside, and reports whether they are free: 1 GiB, or 5 % of the disk, stays so.
func (s *space) reserve(n int64) bool {
	total, free, ok := diskSpace(s.dir)
	for dir := s.dir; !ok && dir != filepath.Dir(dir); { // it is made when it is needed
		dir = filepath.Dir(dir)
		total, free, ok = diskSpace(dir)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && free-s.reserved-n < min(1<<30, total/20) {
		return false
	}
	s.reserved += n
	return true
}

// release gives back n bytes that were set aside: they are written now, or never will be.
func (s *space) release(n int64) {
	s.mu.Lock()
	s.reserved -= n
	s.mu.Unlock()
}
