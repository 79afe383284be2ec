// Package packing compresses blobs with zstd, for the cache server and its client.
package packing

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// MinSize is the size in bytes from which a blob is worth compressing.
const MinSize = 4 << 10

const (
	encoderWindow = 512 << 10 // bytes
	decoderWindow = 8 << 20   // the maximum memory of a decoder, in bytes
)

// Codecs are encoders and decoders that are not in use. The zero value is ready for use. Its
// methods are safe for concurrent use; an encoder or decoder is for one goroutine, and is to be
// given back.
type Codecs struct{ encoders, decoders sync.Pool }

// Encoder returns an encoder that writes to w. One that has failed is given back without being
// closed.
func (c *Codecs) Encoder(w io.Writer) *zstd.Encoder {
	if e, ok := c.encoders.Get().(*zstd.Encoder); ok {
		e.Reset(w)
		return e
	}
	e, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(encoderWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are wrong
	}
	return e
}

// KeepEncoder gives an encoder back.
func (c *Codecs) KeepEncoder(e *zstd.Encoder) {
	e.Reset(nil)
	c.encoders.Put(e)
}

// Decoder returns a decoder that reads from r. It refuses data whose window is larger than 8 MiB.
func (c *Codecs) Decoder(r io.Reader) (*zstd.Decoder, error) {
	if d, ok := c.decoders.Get().(*zstd.Decoder); ok {
		return d, d.Reset(r)
	}
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(decoderWindow), zstd.WithDecoderLowmem(true))
}

// KeepDecoder gives a decoder back.
func (c *Codecs) KeepDecoder(d *zstd.Decoder) {
	d.Reset(nil)
	c.decoders.Put(d)
}

// Pack compresses b. ok is false if that is not worth it.
func (c *Codecs) Pack(b []byte) (packed []byte, ok bool) {
	if len(b) < MinSize {
		return nil, false
	}
	e := c.Encoder(nil)
	defer c.KeepEncoder(e)
	packed = e.EncodeAll(b, make([]byte, 0, len(b)/2))
	return packed, len(packed) < len(b)/10*9
}

// Memory returns a reader of b. A decoder knows a [bytes.Reader], and would decompress all of it
// at once.
func Memory(b []byte) io.Reader { return &memory{b} }

type memory struct{ rest []byte }

func (m *memory) Read(b []byte) (int, error) {
	if len(m.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}
