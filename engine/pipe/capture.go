package pipe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/weftrun/weft/internal/spool"
	"github.com/weftrun/weft/internal/unnamed"
)

// inMemory is the number of bytes of a capture, or of a queue, that are kept in memory.
const inMemory = 256 << 10

// Overflow selects the effect of writing more than a capture's limit.
type Overflow uint8

const (
	Fail Overflow = iota // Write fails with an *OverflowError
	Head                 // the first bytes are kept
	Tail                 // the last bytes are kept
)

// OverflowError is the error of writing more than a capture's limit.
type OverflowError struct{ Max int64 }

func (e *OverflowError) Error() string {
	return fmt.Sprintf("its output exceeds the %d bytes that are captured; write it to a file (stdout: {file: …}), or raise max (stdout: {capture: {max: 64MiB}})", e.Max)
}

// Capture keeps bytes, in memory at first and then in a file without a name. It is safe for
// concurrent use.
type Capture struct {
	max      int64
	overflow Overflow

	mu   sync.Mutex // guards the fields below
	buf  spool.Buffer
	size int64 // how many bytes are kept, or for Tail were written
}

// NewCapture returns an empty Capture for at most max bytes. The caller must close it.
func NewCapture(max int64, overflow Overflow) *Capture {
	return &Capture{max: max, overflow: overflow, buf: spool.Buffer{InMemory: inMemory}}
}

// Write implements io.Writer.
func (c *Capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.overflow == Tail {
		return c.writeTail(p)
	}
	n := len(p)
	if excess := c.size + int64(len(p)) - c.max; excess > 0 {
		p = p[:max(0, int64(len(p))-excess)]
		if _, err := c.buf.WriteAt(p, c.size); err != nil {
			return 0, err
		}
		if c.size += int64(len(p)); c.overflow == Fail {
			return len(p), &OverflowError{c.max}
		}
		return n, nil
	}
	if _, err := c.buf.WriteAt(p, c.size); err != nil {
		return 0, err
	}
	c.size += int64(n)
	return n, nil
}

// writeTail writes to the ring buffer of a Tail, which has max bytes.
func (c *Capture) writeTail(p []byte) (int, error) {
	n := len(p)
	if excess := int64(n) - c.max; excess > 0 {
		c.size += excess
		p = p[excess:]
	}
	for len(p) > 0 {
		at := c.size % c.max
		part := p[:min(int64(len(p)), c.max-at)]
		if _, err := c.buf.WriteAt(part, at); err != nil {
			return 0, err
		}
		c.size += int64(len(part))
		p = p[len(part):]
	}
	return n, nil
}

// Size returns the number of bytes that are kept.
func (c *Capture) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(c.size, c.max)
}

// Truncate drops all but the first n bytes, before another attempt. It must not be called
// for a Tail.
func (c *Capture) Truncate(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = min(c.size, n)
}

// Bytes returns a copy of the kept bytes.
func (c *Capture) Bytes() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := make([]byte, min(c.size, c.max))
	from := int64(0)
	if c.size > c.max {
		from = c.size % c.max // the oldest byte of the ring
	}
	n, err := c.buf.ReadAt(b[:int64(len(b))-from], from)
	if int64(n) == int64(len(b))-from && from > 0 {
		var more int
		more, err = c.buf.ReadAt(b[n:], 0)
		n += more
	}
	if n < len(b) {
		return nil, fmt.Errorf("reading what was captured: %w", err)
	}
	return b, nil
}

// Open returns a file with the kept bytes, for use as a program's stdin. The caller must close it.
func (c *Capture) Open() (*os.File, error) {
	b, err := c.Bytes()
	if err != nil {
		return nil, err
	}
	return FileOf(b)
}

// FileOf returns a file without a name that holds b. Its offset is 0.
func FileOf(b []byte) (*os.File, error) {
	f, err := unnamed.File()
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close drops the kept bytes.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.buf.Reset()
	c.buf, c.size = spool.Buffer{}, 0
	return err
}
