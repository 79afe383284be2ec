package report

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/schema/diag"
)

// Out writes whole messages to one of weft's own streams and keeps the first error; after an error
// it drops all writes. It continues a partial write, and retries one that would block because
// another process made the descriptor non-blocking. It is not safe for concurrent use.
type Out struct {
	w    io.Writer
	err  error
	mask func(string) string
	area *Area // area to write through; usually nil

	stamps *Stamps // usually nil
	within bool    // with stamps: the last line is not terminated
	raw    bool    // the written data has stamps already
}

// NewOut returns an Out on w, which it does not close.
func NewOut(w io.Writer) *Out { return &Out{w: w} }

// Mask sets the function that masks weft's own texts.
func (o *Out) Mask(f func(string) string) { o.mask = f }

// masked returns text with secrets masked.
func (o *Out) masked(text string) string {
	if o.mask == nil {
		return text
	}
	return o.mask(text)
}

// Err returns the first error, or nil.
func (o *Out) Err() error {
	if o.area != nil {
		return o.area.Err()
	}
	return o.err
}

// Write writes all of p. It implements io.Writer.
func (o *Out) Write(p []byte) (int, error) {
	if o.stamps == nil {
		return o.write(p)
	}
	if _, err := o.write(o.stamped(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (o *Out) write(p []byte) (int, error) {
	if o.area != nil {
		return o.area.Write(p)
	}
	done := 0
	for done < len(p) && o.err == nil {
		n, err := o.w.Write(p[done:])
		done += max(n, 0)
		switch {
		case err == nil && n <= 0:
			o.err = io.ErrShortWrite
		case err == nil, errors.Is(err, io.ErrShortWrite), errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			o.err = waitWritable(o.w)
		default:
			o.err = err
		}
	}
	return done, o.err
}

// Show writes weft's own text, which may contain text from outside: masked, and escaped by
// [diag.PrintableText]. Bytes that must not be changed go to Write.
func (o *Out) Show(s string) { o.Write([]byte(diag.PrintableText(o.masked(s)))) }

// Paint writes weft's own text in a colour.
func (o *Out) Paint(p *Palette, c Color, text string) {
	o.Write(p.Append(nil, c, o.masked(text)))
}

// file returns the file behind o, or nil.
func (o *Out) file() *os.File {
	f, _ := o.w.(*os.File)
	return f
}

// same reports whether o and other write to the same terminal, file or pipe.
func (o *Out) same(other *Out) bool {
	f, g := o.file(), other.file()
	if f == nil || g == nil {
		return false
	}
	a, errA := f.Stat()
	b, errB := g.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// Broken reports whether the reader of o has closed its end.
func (o *Out) Broken() bool { return epipe.Is(o.Err()) }
