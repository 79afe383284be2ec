// Package recorded reads the files of recorded runs, as --events and the history write them.
//
// It knows lines and the positions of errors; package event knows their content.
package recorded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/fifo"
)

// maxLine is the maximum length of a line, in bytes: far more than a command can write between two
// events.
const maxLine = 64 << 20

// errCut means that a file ends within a line: its writer was killed, or is still writing.
var errCut = errors.New("the file ends within this line")

// File is a recorded run. It is not safe for concurrent use.
type File struct {
	// Log is the file beside it with the bytes that commands wrote, which belongs to the File;
	// nil if they are in the events. Bytes missing in it are missing in the events.
	Log *os.File
	// Missing is the number of these bytes that were missing so far.
	Missing int64
	// SkipIncomplete makes Next skip an incomplete last line.
	SkipIncomplete bool

	f    *os.File
	raw  *bufio.Reader
	in   *bufio.Reader // raw, or what is compressed in it
	line int           // number of the line that was read last
	buf  []byte        // of a line that is longer than the reader's
	dec  event.Decoder
}

// Open opens the recorded run in the file called name, which must be a regular one.
func Open(name string) (*File, error) {
	f, err := fifo.OpenRegular(name)
	if err != nil {
		return nil, err
	}
	return New(f)
}

// New returns the recorded run in a file, and takes ownership of the file. The file may be
// compressed by gzip.
func New(file *os.File) (*File, error) {
	f := &File{f: file, raw: bufio.NewReaderSize(file, 64<<10)}
	if err := f.begin(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return f, nil
}

// begin determines at the start of the file whether it is compressed.
func (f *File) begin() error {
	f.in, f.line, f.dec = f.raw, 0, event.Decoder{}
	if head, _ := f.raw.Peek(2); string(head) != "\x1f\x8b" {
		return nil
	}
	zip, err := gzip.NewReader(f.raw)
	if err == nil {
		f.in = bufio.NewReaderSize(zip, 64<<10)
	}
	return err
}

// Close closes the files.
func (f *File) Close() error {
	if f.Log != nil {
		f.Log.Close()
	}
	return f.f.Close()
}

// Name returns the name under which the file was opened.
func (f *File) Name() string { return f.f.Name() }

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
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.raw.Reset(f.f)
	f.Missing = 0
	return f.begin()
}

// Next returns the next event, or [io.EOF] after the last. Any other error names the line.
// Events that only a later weft knows are skipped. The event stays valid after the next call.
func (f *File) Next() (event.Event, error) {
	for {
		line, err := f.readLine()
		if err == io.EOF && (len(line) == 0 || f.SkipIncomplete) {
			return nil, io.EOF
		}
		var ev event.Event
		if err == nil {
			ev, err = f.dec.Decode(line)
		} else if err == io.EOF {
			err = errCut
		}
		if out, ok := ev.(*event.Output); ok && out.Length > 0 {
			err = f.readOutput(out)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.f.Name(), f.line, err)
		}
		if ev != nil {
			return ev, nil
		}
	}
}

// Find reports whether one of the next lines that begin with head contains one of texts. It does
// not parse them.
func (f *File) Find(head string, texts []string) (bool, error) {
	for {
		line, err := f.readLine()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return false, err
		}
		if bytes.HasPrefix(line, []byte(head)) && slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(line, []byte(text)) }) {
			return true, nil
		}
	}
}

// readOutput reads the output of a command from the log.
func (f *File) readOutput(out *event.Output) error {
	offset, length := out.Offset, out.Length
	out.Offset, out.Length = 0, 0
	if offset < 0 || length > maxLine {
		return errors.New("no place in a log")
	}
	n := 0
	if f.Log != nil {
		// A hostile length takes no more memory than the log has bytes.
		if info, err := f.Log.Stat(); err == nil && length <= info.Size()-offset {
			out.Data = make([]byte, length)
			n, _ = f.Log.ReadAt(out.Data, offset)
		}
	}
	out.Data = out.Data[:n]
	f.Missing += length - int64(n)
	return nil
}

// readLine returns the next line with its newline. It is valid until the next call.
func (f *File) readLine() ([]byte, error) {
	f.line++
	f.buf = f.buf[:0]
	for {
		part, err := f.in.ReadSlice('\n')
		if err == io.ErrUnexpectedEOF {
			err = io.EOF // of the compressed data
		}
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
