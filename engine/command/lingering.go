package command

import (
	"sync"

	"github.com/weftrun/weft/engine/pipe"
)

// lingering are the pipes that processes hold which their commands left behind. They are read
// until the end of the run. The zero value is none.
type lingering struct {
	mu     sync.Mutex
	pipes  map[*pipe.Source]struct{}
	closed bool
	wg     sync.WaitGroup
}

// add reports whether s may still be read.
func (l *lingering) add(s *pipe.Source) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.pipes == nil {
		l.pipes = map[*pipe.Source]struct{}{}
	}
	l.pipes[s] = struct{}{}
	l.wg.Add(1)
	return true
}

func (l *lingering) done(s *pipe.Source) {
	l.mu.Lock()
	delete(l.pipes, s)
	l.mu.Unlock()
	s.Close()
	l.wg.Done()
}

// close returns when what is in the pipes has been emitted.
func (l *lingering) close() {
	l.mu.Lock()
	l.closed = true
	for s := range l.pipes {
		s.Abandon()
	}
	l.mu.Unlock()
	l.wg.Wait()
}
