// Package pipe moves bytes between programs and weft: pipes, pseudo-terminals, captures,
// files that appear when they are complete, and the masking of secrets. It knows file
// descriptors and not tasks: its callers decide who reads what.
package pipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// Linger is how long weft waits for the end of a pipe after its program has ended, if a
// leftover of the program holds the pipe open. Only time that a Read waits counts, so that
// everything the program wrote is read.
const (
	Linger = 250 * time.Millisecond
	slice  = Linger / 10 // the unit in which it is counted
)

// halfFull is the least number of bytes from a terminal, which gives 4 KiB at once at most, after
// which Read looks for more.
const halfFull = 1 << 10

// ErrLingering is the end of a stream whose pipe is held open by a leftover.
var ErrLingering = errors.New("the output is kept open by a process that was left behind")

// Source is a pipe to weft. One goroutine calls Read until it returns an error, and then
// Close. Another one passes W to a program and calls Finish when the program has ended.
type Source struct {
	W *os.File // for the program; Finish closes it

	r         *os.File
	clock     *clock.Clock
	reads     atomic.Uint64 // counts begins and ends of reads: odd while one waits
	held      atomic.Bool   // Finish has waited for Linger
	abandoned atomic.Bool
	terminal  bool
	cooked    bool          // its lines end as on a terminal
	ended     chan struct{} // closed when Read has returned an error
}

// terminals holds the open terminals: by *Source, the *os.File whose size it follows, or nil.
var terminals sync.Map

// NewSource returns a Source that measures Linger by c.
func NewSource(c *clock.Clock) (*Source, error) {
	// Only the reading end is non-blocking: programs get the other one.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &Source{W: w, r: r, clock: c, ended: make(chan struct{})}, nil
}

// Read implements io.Reader. It returns io.EOF when no process has the pipe open, and
// ErrLingering when Linger has passed since the program's end. After ErrLingering it may be
// called again to read what leftovers write; then it waits until they end, or until
// Abandon.
func (s *Source) Read(b []byte) (int, error) {
	s.reads.Add(1)
	n, err := s.r.Read(b)
	for s.terminal && err == nil && n >= halfFull && n < len(b) {
		m, end := readNow(s.r, b[n:])
		if end != nil {
			break // the next Read returns it
		}
		n += m
	}
	s.reads.Add(1)
	if s.cooked {
		n = copy(b, bytes.ReplaceAll(b[:n], []byte("\r\n"), []byte("\n"))) // as in a file
	}
	if s.terminal && errors.Is(err, syscall.EIO) {
		err = io.EOF
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

// Finish closes W and returns when everything that the program wrote was read.
func (s *Source) Finish() {
	s.W.Close()
	for waited := time.Duration(0); waited < Linger; {
		reading := s.reads.Load()%2 == 1
		expired := make(chan struct{})
		timer := s.clock.AfterFunc(slice, func() { close(expired) })
		select {
		case <-s.ended:
			timer.Stop()
			return
		case <-expired:
		}
		if reading && s.reads.Load()%2 == 1 {
			waited += slice
		}
	}
	s.held.Store(true)
	s.r.SetReadDeadline(time.Now())
	<-s.ended
}

// Abandon stops reading a pipe that is held open: Read returns what is in it now, and then
// io.EOF.
func (s *Source) Abandon() {
	s.abandoned.Store(true)
	s.r.SetReadDeadline(time.Now())
}

// Close closes the reading end: programs that still write get SIGPIPE. Finish returns.
func (s *Source) Close() error {
	s.end()
	if s.terminal {
		terminals.Delete(s)
	}
	return s.r.Close()
}
