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
	// Writers get every byte. An error of one ends the copying.
	Writers []io.Writer
	// Pipes are pipes to programs. One whose reader has closed its end is skipped. When all have
	// and there are no Writers, the copying ends, and the producer gets SIGPIPE.
	Pipes []*os.File
	// PipeDone, if set, is called when one of Pipes gets no more bytes.
	PipeDone func(*os.File)
}

// Copy copies r until its end. It returns why it ended before, or nil. If there are both
// Writers and Pipes, another goroutine writes to Writers, a few blocks behind.
func (f *Fan) Copy(r io.Reader) error {
	pipes := append([]*os.File(nil), f.Pipes...)
	defer func() {
		for _, w := range pipes {
			f.pipeDone(w)
		}
	}()
	if len(f.Writers) > 0 && len(pipes) > 0 {
		if s, ok := r.(*Source); ok && len(f.Writers) == 1 && len(pipes) == 1 && isFile(f.Writers[0]) {
			if err := f.tee(s, pipes[0]); err != nil {
				return err
			}
		}
		return f.copyBehind(r, &pipes)
	}
	buf := make([]byte, 64<<10)
	return f.copy(r, &pipes, func(full bool) []byte {
		if full && len(buf) < block {
			buf = make([]byte, block)
		}
		return buf
	}, f.writeAll)
}

// chunk is a part of a stream.
type chunk struct {
	buf []byte // nil until it is needed
	n   int    // how many bytes of buf are filled
}

// copyBehind is Copy with Writers to which another goroutine writes.
func (f *Fan) copyBehind(r io.Reader, pipes *[]*os.File) error {
	b := newWriteBehind(make([]*chunk, maxBuffers), func(c *chunk) error { return f.writeAll(c.buf, c.n) })
	defer b.close()
	var c *chunk
	err := f.copy(r, pipes, func(bool) []byte {
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

// copy implements Copy. It gets buffers from next, whose argument is whether the last one was
// filled, and passes them to write.
func (f *Fan) copy(r io.Reader, pipes *[]*os.File, next func(full bool) []byte, write func(buf []byte, n int) error) error {
	had := len(*pipes) > 0
	for full := false; ; {
		buf := next(full)
		n, err := r.Read(buf)
		full = n == len(buf)
		for i := 0; n > 0 && i < len(*pipes); {
			w := (*pipes)[i]
			if _, err := w.Write(buf[:n]); err == nil {
				i++
				continue
			} else if !closedEarly(err) {
				return err
			}
			f.pipeDone(w)
			*pipes = append((*pipes)[:i], (*pipes)[i+1:]...)
		}
		if terr := write(buf, n); terr != nil {
			return terr
		}
		switch {
		case err == io.EOF || errors.Is(err, ErrLingering):
			return nil
		case err != nil:
			return err
		case had && len(*pipes) == 0 && len(f.Writers) == 0:
			return nil
		}
	}
}

// writeAll writes to all Writers.
func (f *Fan) writeAll(buf []byte, n int) error {
	if n == 0 {
		return nil
	}
	for _, w := range f.Writers {
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fan) pipeDone(w *os.File) {
	if f.PipeDone != nil {
		f.PipeDone(w)
	}
}

func closedEarly(err error) bool {
	return epipe.Is(err) || errors.Is(err, os.ErrClosed)
}
