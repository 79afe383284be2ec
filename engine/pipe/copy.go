package pipe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/weftrun/weft/internal/unnamed"
)

// block is how much is read at once.
const block = 256 << 10

// Fan copies what it reads to several writers.
type Fan struct {
	// Taps get every byte; an error of one ends the copying.
	Taps []io.Writer
	// Flows are pipes to programs. One that is closed early is left out; when all
	// are, and there is no tap, the copying ends: the producer then learns it from
	// the system.
	Flows []*os.File
	// Flowed, if set, is called when nothing more comes for a flow.
	Flowed func(*os.File)
}

// Copy copies from r until its end and returns why it ended before, or nil. Taps
// that stand beside flows are written by another goroutine, a few blocks behind.
func (f *Fan) Copy(r io.Reader) error {
	flows := append([]*os.File(nil), f.Flows...)
	defer func() {
		for _, w := range flows {
			f.flowed(w)
		}
	}()
	if len(f.Taps) > 0 && len(flows) > 0 {
		if s, ok := r.(*Source); ok && len(f.Taps) == 1 && len(flows) == 1 && fileBehind(f.Taps[0]) {
			if err := f.tee(s, flows[0]); err != nil {
				return err
			}
		}
		return f.copyBehind(r, &flows)
	}
	buf := make([]byte, 64<<10)
	return f.copy(r, &flows, func(full bool) []byte {
		if full && len(buf) < block {
			buf = make([]byte, block)
		}
		return buf
	}, f.tap)
}

// chunk is a part of a stream, in memory.
type chunk struct {
	buf []byte // nil until it is needed
	n   int    // filled bytes
}

// copyBehind is Copy with taps that are written behind.
func (f *Fan) copyBehind(r io.Reader, flows *[]*os.File) error {
	b := putBehind(make([]*chunk, ahead), func(c *chunk) error { return f.tap(c.buf, c.n) })
	defer b.end()
	var c *chunk
	err := f.copy(r, flows, func(bool) []byte {
		if c, _ = b.take(); c == nil {
			c = &chunk{buf: make([]byte, block)}
		}
		return c.buf
	}, func(_ []byte, n int) error {
		c.n = n
		return b.give(c)
	})
	if err != nil {
		return err
	}
	return b.end()
}

// fileBehind reports whether all that is written to w goes to the end of a file,
// or will.
func fileBehind(w io.Writer) bool {
	switch w := w.(type) {
	case *os.File:
		st, err := w.Stat()
		return err == nil && st.Mode().IsRegular()
	case *Capture:
		return w.overflow != Tail
	}
	return false
}

// copy is Copy, with buffers from next, which is told whether the last one was
// filled, and taps behind tap, which owns what it gets.
func (f *Fan) copy(r io.Reader, flows *[]*os.File, next func(full bool) []byte, tap func(buf []byte, n int) error) error {
	had := len(*flows) > 0
	for full := false; ; {
		buf := next(full)
		n, err := r.Read(buf)
		full = n == len(buf)
		for i := 0; n > 0 && i < len(*flows); {
			w := (*flows)[i]
			if _, err := w.Write(buf[:n]); err == nil {
				i++
				continue
			} else if !closedEarly(err) {
				return err
			}
			f.flowed(w)
			*flows = append((*flows)[:i], (*flows)[i+1:]...)
		}
		if terr := tap(buf, n); terr != nil {
			return terr
		}
		switch {
		case err == io.EOF || errors.Is(err, ErrLingering):
			return nil
		case err != nil:
			return err
		case had && len(*flows) == 0 && len(f.Taps) == 0:
			return nil
		}
	}
}

// tap writes to the taps.
func (f *Fan) tap(buf []byte, n int) error {
	if n == 0 {
		return nil
	}
	for _, w := range f.Taps {
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fan) flowed(w *os.File) {
	if f.Flowed != nil {
		f.Flowed(w)
	}
}

func closedEarly(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}

// maxPartial is how much of a line is kept until its end has come.
const maxPartial = 1 << 20

// Lines copies what it reads from several readers to w, whole lines at a time, in
// order of arrival. A line of more than 1 MiB may be cut. It returns when all
// readers have ended, or w takes no more: closed is called then, so that readers
// end, too.
func Lines(w io.Writer, closed func(), rs ...io.Reader) error {
	var mu sync.Mutex // held while w is written
	var fault error
	write := func(p []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if fault != nil {
			return false
		}
		if _, err := w.Write(p); err != nil {
			fault = err
			closed()
			return false
		}
		return true
	}
	var wg sync.WaitGroup
	for _, r := range rs {
		wg.Go(func() { copyLines(r, write) })
	}
	wg.Wait()
	if closedEarly(fault) {
		return nil
	}
	return fault
}

func copyLines(r io.Reader, write func([]byte) bool) {
	buf := make([]byte, 0, 64<<10)
	for {
		if len(buf) == cap(buf) {
			if cap(buf) >= maxPartial {
				if !write(buf) {
					return
				}
				buf = buf[:0]
			} else {
				buf = append(make([]byte, 0, 2*cap(buf)), buf...)
			}
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if end := bytes.LastIndexByte(buf, '\n') + 1; end > 0 {
			if !write(buf[:end]) {
				return
			}
			buf = buf[:copy(buf, buf[end:])]
		}
		if err != nil {
			if len(buf) > 0 { // the last line gets the end it lacks
				write(append(buf, '\n'))
			}
			return
		}
	}
}

// Concat copies what it reads from several readers to w, one reader after the
// other. Those whose turn has not come are read into files meanwhile, so that none
// of their programs waits for another.
func Concat(w io.Writer, closed func(), rs ...io.Reader) error {
	later := make([]*Spill, len(rs))
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, r := range rs[1:] {
		s, err := NewSpill()
		if err != nil {
			return err
		}
		later[i+1] = s
		wg.Go(func() { s.fill(r) })
	}
	for i, r := range rs {
		if s := later[i]; s != nil {
			r = s
			defer s.Close()
		}
		if _, err := io.Copy(w, r); err != nil {
			closed()
			if closedEarly(err) {
				return nil
			}
			return err
		}
	}
	return nil
}

// Spill is a queue of bytes without a limit, in a file without a name. One
// goroutine fills it, another reads.
type Spill struct {
	mu      sync.Mutex // guards the fields below
	more    sync.Cond
	file    *os.File
	written int64
	read    int64
	err     error // io.EOF when no more comes
}

// NewSpill returns an empty queue.
func NewSpill() (*Spill, error) {
	f, err := unnamed.File()
	if err != nil {
		return nil, err
	}
	s := &Spill{file: f}
	s.more.L = &s.mu
	return s, nil
}

// fill reads r to its end.
func (s *Spill) fill(r io.Reader) {
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
func (s *Spill) Read(p []byte) (int, error) {
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
func (s *Spill) Close() error { return s.file.Close() }
