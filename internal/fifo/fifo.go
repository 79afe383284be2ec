// Package fifo opens and reads files without waiting forever: opening a named pipe waits
// until the other end is opened. A context ends that. The package does not know what the files
// are for.
package fifo

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/weftrun/weft/internal/limit"
)

// ReadAll reads the file at path, which may be a named pipe. It returns large if the file has
// more than max bytes, and the cause of ctx if that is done before.
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

// ErrNotRegular is the error of [OpenRegular] for a named pipe, a device and the like.
var ErrNotRegular = errors.New("it is not a regular file")

// ReadRegular reads the file at path, which must be regular. It returns large if the file has
// more than max bytes. It never waits.
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

// OpenRegular opens the file at path, which must be regular, for reading. It never waits.
func OpenRegular(path string) (*os.File, error) {
	if err := absent(path); err != nil {
		return nil, err
	}
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
