package pipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Rotated is a log file that is replaced by a new one when it has a given size: p is then renamed
// to p.1, p.1 to p.2, and so on. A line is divided only if it is itself longer than the size, so
// a file may become twice as large. Concurrent Writes are not mixed. It is safe for concurrent
// use.
type Rotated struct {
	path string
	size int64
	keep int

	mu   sync.Mutex // guards the fields below
	f    *os.File
	n    int64 // bytes in f
	line int64 // of these, bytes of a line that has not ended
	// fixed means that path is not a regular file, and is not replaced.
	fixed bool
}

// OpenRotated opens the file path for appending, and creates its directory if necessary.
// It follows links as [OpenTarget] does. size is in bytes; keep is how many older files are
// kept. The caller must call Close.
func OpenRotated(ctx context.Context, path string, size int64, keep int) (*Rotated, error) {
	path, descriptor, err := follow(path)
	if err != nil {
		return nil, err
	}
	r := &Rotated{path: path, size: size, keep: keep}
	if descriptor {
		t, err := openDescriptor(path)
		if err != nil {
			return nil, err
		}
		r.f, r.fixed = t.File, true
		return r, nil
	}
	return r, r.open(ctx)
}

// open opens the file. The caller holds r.mu, or is the only user of r.
func (r *Rotated) open(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o777); err != nil {
		return err
	}
	f, err := openToAdd(ctx, r.path)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	r.f, r.n, r.line, r.fixed = f, st.Size(), 0, !st.Mode().IsRegular()
	if r.n > 0 && !r.fixed && !endsLine(r.path, r.n) {
		r.line = 1 // how long it is does not matter: others came before
	}
	return nil
}

// endsLine reports whether a file of n bytes ends with a line, or cannot be read.
func endsLine(path string, n int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	var last [1]byte
	_, err = f.ReadAt(last[:], n-1)
	return err != nil || last[0] == '\n'
}

// Write implements io.Writer. If the files cannot be rotated, it writes to the old one, and the
// error says why.
func (r *Rotated) Write(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(p) > 0 {
		part := r.part(p)
		if part == 0 {
			if err := r.rotate(); err != nil {
				m, werr := r.write(p)
				return n + m, errors.Join(err, werr)
			}
			continue
		}
		m, err := r.write(p[:part])
		n += m
		if err != nil {
			return n, err
		}
		p = p[part:]
	}
	return n, nil
}

// part returns how many bytes of p belong into the file as it is. 0 means that it is full.
func (r *Rotated) part(p []byte) int {
	room := r.size - r.n
	if r.fixed || int64(len(p)) <= room {
		return len(p)
	}
	if room > 0 {
		if end := bytes.LastIndexByte(p[:room], '\n') + 1; end > 0 {
			return end
		}
	}
	// The first line of p does not fit as a whole.
	if r.line == 0 && r.n > 0 {
		return 0
	}
	// Its beginning is in the file, or the file is empty: it is divided if it is too long.
	long := r.size - r.line
	if long <= 0 {
		return 0
	}
	if end := bytes.IndexByte(p, '\n') + 1; end > 0 && int64(end) <= long {
		return end
	}
	return int(min(long, int64(len(p))))
}

// write writes to the file as it is.
func (r *Rotated) write(p []byte) (int, error) {
	n, err := r.f.Write(p)
	r.n += int64(n)
	if end := bytes.LastIndexByte(p[:n], '\n') + 1; end > 0 {
		r.line = int64(n - end)
	} else {
		r.line += int64(n)
	}
	return n, err
}

// rotate begins a new file. If another program has renamed or removed this one, its name is free
// already, or belongs to a file to continue.
func (r *Rotated) rotate() error {
	written, err := r.f.Stat()
	named, nerr := os.Stat(r.path)
	if err != nil || nerr != nil || !os.SameFile(written, named) {
		old := r.f
		if err := r.open(context.Background()); err != nil {
			return fmt.Errorf("rotating %s: %w", r.path, err)
		}
		old.Close()
		return nil
	}
	r.f.Close() // first, for systems that rename no open file
	err = r.shift()
	line := r.line
	if oerr := r.open(context.Background()); oerr != nil {
		return errors.Join(fmt.Errorf("rotating %s: %w", r.path, err), oerr)
	}
	if err != nil {
		r.line = line
		return fmt.Errorf("rotating %s: %w", r.path, err)
	}
	return nil
}

// shift renames the file and the older ones up to the first gap, the oldest first, so that
// nothing is lost if weft is killed meanwhile. The oldest is replaced if there are too many.
func (r *Rotated) shift() error {
	if r.keep == 0 {
		return os.Remove(r.path)
	}
	last := 1
	for last < r.keep {
		if _, err := os.Lstat(r.older(last)); errors.Is(err, fs.ErrNotExist) {
			break
		}
		last++
	}
	for i := last; i > 0; i-- {
		if err := os.Rename(r.older(i-1), r.older(i)); err != nil {
			return err
		}
	}
	return nil
}

// older returns the name of the file that was written i files ago.
func (r *Rotated) older(i int) string {
	if i == 0 {
		return r.path
	}
	return r.path + "." + strconv.Itoa(i)
}

// Close closes the file.
func (r *Rotated) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.Close()
}
