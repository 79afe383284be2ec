// Package spool buffers bytes: in memory at first, then in a file without a name, which disappears
// when the program ends, however it ends. It knows neither the meaning nor the order of the bytes.
package spool

import (
	"io"
	"os"

	"github.com/weftrun/weft/internal/unnamed"
)

// Buffer holds bytes. The zero value is empty, and keeps nothing in memory. It is for one
// goroutine at a time.
type Buffer struct {
	InMemory int64 // number of bytes kept in memory

	mem  []byte
	file *os.File // holds all, if it is not nil
}

// WriteAt implements io.WriterAt. After an error it holds its earlier content, and perhaps a part
// of p.
func (b *Buffer) WriteAt(p []byte, off int64) (int, error) {
	if b.file == nil {
		end := off + int64(len(p))
		if end <= b.InMemory {
			if more := end - int64(len(b.mem)); more > 0 {
				b.mem = append(b.mem, make([]byte, more)...)
			}
			return copy(b.mem[off:], p), nil
		}
		if err := b.ToFile(); err != nil {
			return 0, err
		}
	}
	return b.file.WriteAt(p, off)
}

// ToFile moves the bytes in memory to a file.
func (b *Buffer) ToFile() error {
	f, err := unnamed.File()
	if err != nil {
		return err
	}
	if _, err := f.Write(b.mem); err != nil {
		f.Close()
		return err
	}
	b.file, b.mem = f, nil
	return nil
}

// ReadAt implements io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	n := copy(p, b.mem[min(off, int64(len(b.mem))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// File returns the file that holds all, or nil as long as it is in memory. It belongs to b.
func (b *Buffer) File() *os.File { return b.file }

// Memory returns the bytes in memory: all, as long as File is nil. It belongs to b.
func (b *Buffer) Memory() []byte { return b.mem }

// Reset makes b empty. Its memory is reused.
func (b *Buffer) Reset() error {
	f := b.file
	b.file, b.mem = nil, b.mem[:0]
	if f == nil {
		return nil
	}
	return f.Close()
}
