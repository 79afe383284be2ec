package pipe

import (
	"io"
	"os"
	"sync"

	"github.com/weftrun/weft/internal/unnamed"
)

// spill is a queue of bytes without a limit, in a file without a name. One
// goroutine fills it, another reads.
type spill struct {
	mu      sync.Mutex // guards the fields below
	more    sync.Cond
	file    *os.File
	written int64
	read    int64
	err     error // io.EOF when no more comes
}

// newSpill returns an empty queue.
func newSpill() (*spill, error) {
	f, err := unnamed.File()
	if err != nil {
		return nil, err
	}
	s := &spill{file: f}
	s.more.L = &s.mu
	return s, nil
}

// fill reads r to its end.
func (s *spill) fill(r io.Reader) {
	buf := make([]byte, 64<<10)
	for at := int64(0); ; {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := s.file.WriteAt(buf[:n], at); werr != nil {
				err = werr
			} else {
				at += int64(n)
			}
		}
		s.mu.Lock()
		s.written = at
		if err != nil {
			s.err = err
		}
		s.more.Signal()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Read implements io.Reader; it waits for what is to come.
func (s *spill) Read(p []byte) (int, error) {
	s.mu.Lock()
	for s.read == s.written && s.err == nil {
		s.more.Wait()
	}
	left, err := s.written-s.read, s.err
	s.mu.Unlock()
	if left == 0 {
		return 0, err
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), left)], s.read)
	s.mu.Lock()
	s.read += int64(n)
	s.mu.Unlock()
	if n > 0 {
		err = nil
	}
	return n, err
}

// Close lets go of the file. Whoever fills it gets errors.
func (s *spill) Close() error { return s.file.Close() }
