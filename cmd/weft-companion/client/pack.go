package client

import (
	"io"
	"sync"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
)

// sampleSize is the number of bytes that tell whether a blob is worth compressing.
const sampleSize = 64 << 10

// worthPacking reports whether the beginning of a blob can be compressed.
func worthPacking(c *packing.Codecs, f io.ReaderAt) bool {
	b := make([]byte, sampleSize)
	n, _ := f.ReadAt(b, 0)
	_, ok := c.Pack(b[:n])
	return ok
}

// unpack decompresses b, which must give exactly size bytes.
func unpack(c *packing.Codecs, b []byte, size int64) ([]byte, error) {
	if size > maxSmall {
		return nil, wrong("a compressed blob of %d bytes is in a batch", size)
	}
	out := make([]byte, 0, size)
	err := unpackTo(c, writerFunc(func(b []byte) (int, error) {
		if len(out)+len(b) > int(size) {
			return 0, wrong("a compressed blob has more than %d bytes", size)
		}
		out = append(out, b...)
		return len(b), nil
	}), packing.Memory(b))
	if err == nil && int64(len(out)) != size {
		err = wrong("a compressed blob has %d bytes instead of %d", len(out), size)
	}
	return out, err
}

// unpackTo decompresses r to w. Bytes that cannot be decompressed are a [*Failure].
func unpackTo(c *packing.Codecs, w io.Writer, r io.Reader) error {
	from := &remembering{r: r}
	d, err := c.Decoder(from)
	if err == nil {
		defer c.KeepDecoder(d)
		buffer := buffers.Get().(*[bufferSize]byte)
		defer buffers.Put(buffer)
		to := &remembering{w: w}
		_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{d}, buffer[:])
		if to.err != nil {
			return to.err
		}
	}
	switch {
	case from.err != nil && from.err != io.EOF:
		return from.err
	case err != nil:
		return wrong("what was sent cannot be decompressed: %v", err)
	}
	return nil
}

// remembering is a reader or writer that remembers its error.
type remembering struct {
	r   io.Reader
	w   io.Writer
	err error
}

func (m *remembering) Read(b []byte) (n int, err error) {
	n, err = m.r.Read(b)
	if err != nil {
		m.err = err
	}
	return n, err
}

func (m *remembering) Write(b []byte) (n int, err error) {
	n, err = m.w.Write(b)
	if err != nil {
		m.err = err
	}
	return n, err
}

// writerFunc is a function as an [io.Writer].
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
