package schema

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/heap"
	"github.com/weftrun/weft/internal/limit"
)

// Files is the file system from which Taskfiles are read. Paths are absolute; errors for a missing
// file wrap [fs.ErrNotExist].
type Files interface {
	// IsDir reports whether a directory is at path; nothing there is an error.
	IsDir(path string) (bool, error)
	// Read returns the content of the file at path.
	Read(path string) (string, error)
}

// isDir reports whether a directory is at path; nothing there is an error.
func (o *LoadOptions) isDir(path string) (bool, error) {
	if o.Files != nil {
		return o.Files.IsDir(path)
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir(), err
}

// errLarge means that a file is too large to be read.
var errLarge = limit.Bytes("the file", limit.File)

// heapOfByte is what a byte of a Taskfile needs of the heap in a run of all its tasks, in bytes:
// for its nodes, tasks, commands and steps.
const heapOfByte = 96

// readSource returns the content of the file at path, or errLarge.
func (o *LoadOptions) readSource(path string) (string, error) {
	if o.Files != nil && path != stdinPath {
		src, err := o.Files.Read(path)
		if len(src) > limit.File {
			return "", errLarge
		}
		return src, err
	}
	var b strings.Builder
	stdin := o.Stdin
	if path == stdinPath {
		if stdin == nil {
			return "", errors.New("there is no standard input to read it from")
		}
	} else {
		f, err := fifo.OpenOnce(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil {
			switch {
			case st.Mode().IsRegular():
				if st.Size() > limit.File {
					return "", errLarge
				}
				heap.Expect(int(st.Size()) * heapOfByte)
				b.Grow(int(st.Size()))
			case st.Mode()&fs.ModeDevice != 0 && !isNullDevice(st):
				return "", errDevice
			}
		}
		stdin = f
	}
	most := 64 << 10 // is read at once, in bytes
	if b.Cap() > 0 {
		most = min(most, b.Cap()+1) // with one more the end is seen
	}
	_, err := io.CopyBuffer(&b, limit.Reader(stdin, limit.File, errLarge), make([]byte, most))
	return b.String(), err
}

// errDevice means that a Taskfile is a device, which may have no end.
var errDevice = errors.New("it is a device")

// isNullDevice reports whether st is the null device, which is always empty.
func isNullDevice(st fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(st, null)
}
