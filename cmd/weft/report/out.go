package report

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/schema/diag"
)

// Out writes whole messages to one of weft's own streams and remembers the
// first error: from then on it drops everything. A write that the stream takes
// only in part, or not now (somebody else made the descriptor non-blocking), is
// continued. It is not safe for concurrent use.
type Out struct {
	w    io.Writer
	err  error
	mask func(string) string
}

// NewOut returns an Out on w, which stays the caller's.
func NewOut(w io.Writer) *Out { return &Out{w: w} }

// Mask has f mask what weft itself shows from now on.
func (o *Out) Mask(f func(string) string) { o.mask = f }

// masked is text as it may be shown.
func (o *Out) masked(text string) string {
	if o.mask == nil {
		return text
	}
	return o.mask(text)
}

// Err returns the first error, or nil.
func (o *Out) Err() error { return o.err }

// Write writes all of p. It implements io.Writer.
func (o *Out) Write(p []byte) (int, error) {
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

// Show writes text of weft's own, which may hold what came from outside: masked, and escaped
// as [diag.PrintableText] is. What must reach the stream as it is goes to Write.
func (o *Out) Show(s string) { o.Write([]byte(diag.PrintableText(o.masked(s)))) }

// Paint writes text of weft's own in a colour.
func (o *Out) Paint(p *Palette, c Color, text string) {
	o.Write(p.Append(nil, c, o.masked(text)))
}

// file returns the file behind o, or nil.
func (o *Out) file() *os.File {
	f, _ := o.w.(*os.File)
	return f
}

// Broken reports whether o has ended because nobody reads it any more.
func (o *Out) Broken() bool { return epipe.Is(o.err) }
