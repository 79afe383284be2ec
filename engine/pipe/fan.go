package pipe

import (
	"errors"
	"io"
	"os"

	"github.com/weftrun/weft/internal/epipe"
)

// block is the size of the largest read.
const block = 256 << 10

// Fan copies a stream to several writers.
type Fan struct {
	// Taps get every byte. An error of one ends the copying.
	Taps []io.Writer
	// Flows are pipes to programs. One whose reader has gone is left out. When that is
	// true of all and there are no taps, the copying ends, and the producer gets SIGPIPE.
	Flows []*os.File
	// Flowed, if set, is called when a flow gets no more.
	Flowed func(*os.File)
}

// Copy copies r until its end. It returns why it ended before, or nil. If there are both
// taps and flows, another goroutine writes the taps, a few blocks behind.
func (f *Fan) Copy(r io.Reader) error {
	flows := append([]*os.File(nil), f.Flows...)
	defer func() {
		for _, w := range flows {
			f.flowed(w)
		}
	}()
	if len(f.Taps) > 0 && len(flows) > 0 {
		if s, ok := r.(*Source); ok && len(f.Taps) == 1 && len(flows) == 1 && isFile(f.Taps[0]) {
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

// chunk is a part of a stream.
type chunk struct {
	buf []byte // nil until it is needed
	n   int    // how many bytes of buf are filled
}

// copyBehind is Copy with taps that another goroutine writes.
func (f *Fan) copyBehind(r io.Reader, flows *[]*os.File) error {
	b := newWriteBehind(make([]*chunk, maxBuffers), func(c *chunk) error { return f.tap(c.buf, c.n) })
	defer b.close()
	var c *chunk
	err := f.copy(r, flows, func(bool) []byte {
		if c, _ = b.buffer(); c == nil {
			c = &chunk{buf: make([]byte, block)}
		}
		return c.buf
	}, func(_ []byte, n int) error {
		c.n = n
		return b.write(c)
	})
	if err != nil {
		return err
	}
	return b.close()
}

// isFile reports whether everything that is written to w is appended to a file, now or
// later.
func isFile(w io.Writer) bool {
	switch w := w.(type) {
	case *os.File:
		st, err := w.Stat()
		return err == nil && st.Mode().IsRegular()
	case *Capture:
		return w.overflow != Tail
	}
	return false
}

// copy implements Copy. It gets buffers from next, which is told whether the last one was
// filled, and hands them over to tap.
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
	return epipe.Is(err) || errors.Is(err, os.ErrClosed)
}
