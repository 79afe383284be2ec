// Package fifo opens and reads files that may keep who does so waiting: named pipes,
// above all, whose other end nobody has. The waiting ends with a context. It knows
// nothing of what the files are for.
package fifo

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/weftrun/weft/internal/limit"
)

// ReadAll returns what is in the file at path, a named pipe perhaps; large is the error if
// that is more than max bytes. When ctx ends before, the error is its cause.
func ReadAll(ctx context.Context, path string, max int64, large error) ([]byte, error) {
	f, err := Open(ctx, path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Now()) })
	defer stop()
	b, err := io.ReadAll(limit.Reader(f, max, large))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

// ErrNotRegular is the answer of [OpenRegular] to a named pipe, a device and the like.
var ErrNotRegular = errors.New("it is no regular file")

// ReadRegular returns what is in the file at path, which must be a regular one; large is the
// error if that is more than max bytes. It waits for nobody.
func ReadRegular(path string, max int64, large error) ([]byte, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > max {
		return nil, large
	}
	return io.ReadAll(limit.Reader(f, max, large))
}

// OpenRegular opens the file at path, which must be a regular one, for reading. It waits
// for nobody.
func OpenRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
