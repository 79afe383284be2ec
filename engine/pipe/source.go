package pipe

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Linger is how long a pipe is still waited for after the program it was made for
// has ended, when something that program left behind holds it open. Time in which
// nobody here reads does not count: what the program wrote is always read.
const (
	Linger = 250 * time.Millisecond
	slice  = Linger / 10 // that is counted, or is not
)

// ErrLingering is the end of a stream whose pipe is still held open by what its
// program left behind.
var ErrLingering = errors.New("the output is held open by a process that was left behind")

// Source is a pipe to weft. One goroutine calls Read until it returns an error,
// and then Close; another gives W to a program and calls Finish when that ended.
type Source struct {
	W *os.File // for the program; Finish closes it

	r         *os.File
	clock     *clock.Clock
	reads     atomic.Uint64 // begun and ended ones: odd while one waits
	held      atomic.Bool   // Finish has waited long enough
	abandoned atomic.Bool
	terminal  bool
	ended     chan struct{} // closed when Read has returned an error
}

// NewSource returns a Source; Linger is measured by c.
func NewSource(c *clock.Clock) (*Source, error) {
	// Only our end is non-blocking: programs get the other one.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &Source{W: w, r: r, clock: c, ended: make(chan struct{})}, nil
}

// Read reads what there is, as a file's does. The error is io.EOF when nobody can
// write any more, and ErrLingering when Linger
// is over after the program's end. After ErrLingering it may be called again, for what
// those left behind still write; then it waits as long as it takes, or until
// Abandon.
func (s *Source) Read(b []byte) (int, error) {
	s.reads.Add(1)
	n, err := s.r.Read(b)
	s.reads.Add(1)
	if s.terminal {
		n = copy(b, lineEnds(b[:n]))
		if err != nil && hungUp(err) {
			err = io.EOF
		}
	}
	if err == nil {
		return n, nil
	}
	if s.abandoned.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		if n, err = readNow(s.r, b); err == nil {
			return n, nil
		}
	} else if s.held.CompareAndSwap(true, false) && errors.Is(err, os.ErrDeadlineExceeded) {
		s.r.SetReadDeadline(time.Time{})
		err = ErrLingering
	}
	s.end()
	return n, err
}

func (s *Source) end() {
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
}

// Finish closes W and returns when the reader has had all that the program wrote.
func (s *Source) Finish() {
	s.W.Close()
	for waited := time.Duration(0); waited < Linger; {
		reading := s.reads.Load()%2 == 1
		over := make(chan struct{})
		timer := s.clock.AfterFunc(slice, func() { close(over) })
		select {
		case <-s.ended:
			timer.Stop()
			return
		case <-over:
		}
		if reading && s.reads.Load()%2 == 1 {
			waited += slice
		}
	}
	s.held.Store(true)
	s.r.SetReadDeadline(time.Now())
	<-s.ended
}

// Abandon ends the reading of a pipe that is held open, for good: Read returns
// what is in it now, and then io.EOF.
func (s *Source) Abandon() {
	s.abandoned.Store(true)
	s.r.SetReadDeadline(time.Now())
}

// Close closes the reading end: who still writes is told so by the system. It ends
// the stream for Finish, too.
func (s *Source) Close() error {
	s.end()
	if s.terminal {
		terminals.remove(s)
	}
	return s.r.Close()
}
