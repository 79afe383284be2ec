// Package recorded reads the files of recorded runs, as --events writes them.
//
// It knows lines and where they are wrong; what stands on them is the matter of
// package event, and what is made of them that of who reads.
package recorded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/fifo"
)

// maxLine is the most that a line may hold, in bytes: far more than what a command can
// write between two events.
const maxLine = 64 << 20

// errCut tells that a file ends within a line: who wrote it was killed, or still writes.
var errCut = errors.New("the file ends within this line")

// File is a recorded run. It is not safe for concurrent use.
type File struct {
	f    *os.File
	in   *bufio.Reader
	line int    // number of the line that was read last
	buf  []byte // of a line that is longer than the reader's
}

// Open opens the recorded run in the file called name, which must be a regular one.
func Open(name string) (*File, error) {
	f, err := fifo.OpenRegular(name)
	if err != nil {
		return nil, err
	}
	return &File{f: f, in: bufio.NewReaderSize(f, 64<<10)}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Same reports whether the file called name is the one that is read.
func (f *File) Same(name string) bool {
	ours, err := f.f.Stat()
	if err != nil {
		return false
	}
	other, err := os.Stat(name)
	return err == nil && os.SameFile(ours, other)
}

// Rewind makes Next begin with the first event again.
func (f *File) Rewind() error {
	_, err := f.f.Seek(0, io.SeekStart)
	f.in.Reset(f.f)
	f.line = 0
	return err
}

// Next returns the next event, or [io.EOF] after the last. Any other error names the line.
// Events that only a later weft knows are passed over. The event does not change with
// the next call.
func (f *File) Next() (event.Event, error) {
	for {
		line, err := f.readLine()
		if err == io.EOF && len(line) == 0 {
			return nil, io.EOF
		}
		var ev event.Event
		if err == nil {
			ev, err = event.Decode(line)
		} else if err == io.EOF {
			err = errCut
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.f.Name(), f.line, err)
		}
		if ev != nil {
			return ev, nil
		}
	}
}

// readLine returns the next line with its newline. It stays until the next call.
func (f *File) readLine() ([]byte, error) {
	f.line++
	f.buf = f.buf[:0]
	for {
		part, err := f.in.ReadSlice('\n')
		if err != bufio.ErrBufferFull && len(f.buf) == 0 {
			return part, err
		}
		if len(f.buf)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d MiB", maxLine>>20)
		}
		f.buf = append(f.buf, part...)
		if err != bufio.ErrBufferFull {
			return f.buf, err
		}
	}
}
