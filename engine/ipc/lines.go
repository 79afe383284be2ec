package ipc

import (
	"bytes"
	"io"
	"slices"

	"github.com/weftrun/weft/internal/limit"
)

const (
	minRead  = 16 << 10  // room for one read, in bytes
	maxSpare = 256 << 10 // how much memory is kept between two lines
)

// lines divides a stream into lines. The zero value is ready to use.
type lines struct {
	buf     []byte
	start   int // of the data that next has not returned yet
	scanned int // up to where there is no newline
	noted   int // noted memory, counted separately from that of scripts
	err     error
}

var errTooLong = limit.Bytes("a message on the channel (ipc)", MaxLine)

// next returns the next line that is not empty, without its newline. It is valid until the
// next call. Each byte is searched and moved a constant number of times, however the reads
// divide the stream. Text after the last newline is an *InvalidError before io.EOF.
func (l *lines) next(read func([]byte) (int, error)) ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.scanned:], '\n'); i >= 0 {
			line := l.buf[l.start : l.scanned+i]
			l.start, l.scanned = l.scanned+i+1, l.scanned+i+1
			if len(line) > MaxLine {
				return nil, l.fail(errTooLong)
			}
			if line = trim(line); len(line) > 0 {
				return line, nil
			}
			continue
		}
		l.scanned = len(l.buf)
		if len(l.buf)-l.start > MaxLine {
			return nil, l.fail(errTooLong)
		}
		if l.err != nil {
			rest := trim(l.buf[l.start:])
			l.release()
			if len(rest) > 0 && l.err == io.EOF {
				return nil, invalid(rest, errCut)
			}
			return nil, l.err
		}
		l.fill(read)
	}
}

// fill reads once.
func (l *lines) fill(read func([]byte) (int, error)) {
	switch rest := l.buf[l.start:]; {
	case len(rest) == 0 && cap(l.buf) > maxSpare:
		l.release()
	case cap(l.buf) > maxSpare && len(rest) < cap(l.buf)/4:
		// After a long line, so that its memory is not kept for short ones.
		l.buf = append(make([]byte, 0, 2*len(rest)+minRead), rest...)
	case l.start > 0:
		l.buf = l.buf[:copy(l.buf, rest)]
	}
	l.scanned -= l.start
	l.start = 0
	if free := cap(l.buf) - len(l.buf); free < minRead {
		more := max(minRead, min(len(l.buf), MaxLine+minRead-len(l.buf)))
		l.note(2*cap(l.buf) + more) // the old buffer and the new one
		l.buf = slices.Grow(l.buf, more)
	}
	l.note(cap(l.buf))
	var n int
	n, l.err = read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
}

// fail ends the stream.
func (l *lines) fail(err error) error {
	l.release()
	l.err = err
	return err
}

// release returns the memory.
func (l *lines) release() {
	l.buf, l.start, l.scanned = nil, 0, 0
	l.note(0)
}

// note records that n bytes of memory are kept, if n is large.
func (l *lines) note(n int) {
	if n <= maxSpare {
		n = 0
	}
	limit.AddExempt(n - l.noted)
	l.noted = n
}

// trim removes white space as defined by JSON.
func trim(line []byte) []byte { return bytes.Trim(line, " \t\r\n") }
