package serve

import (
	"io"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
)

// codecs are those of all servers of the process: they are alike, and know of none.
var codecs packing.Codecs

// unpack decompresses b into size bytes; otherwise the error is a refusal.
func unpack(b []byte, size int64) ([]byte, error) {
	d, err := codecs.Decoder(nil)
	if err != nil {
		return nil, err
	}
	defer codecs.KeepDecoder(d)
	if size > maxBatch {
		return nil, refuse(tooLarge, "a blob of a batch may have at most %d bytes, not %d", maxBatch, size)
	}
	if err := d.Reset(packing.Memory(b)); err != nil {
		return nil, unpackError(err)
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(d, out); err != nil {
		return nil, unpackError(err)
	}
	if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, refuse(wrongContent, "the data has more than %d bytes, or trailing data", size)
	}
	return out, nil
}

// unpackError returns the refusal of bytes that cannot be decompressed, because of err.
func unpackError(err error) error {
	return refuse(wrongContent, "the data is not a zstd stream that can be read: %v", err)
}

// packInto writes all of from to w, compressed.
func packInto(w io.Writer, from io.Reader) error {
	e := codecs.Encoder(w)
	defer codecs.KeepEncoder(e)
	buffer := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buffer)
	if _, err := io.CopyBuffer(struct{ io.Writer }{e}, struct{ io.Reader }{from}, buffer[:]); err != nil {
		return err
	}
	return e.Close()
}
