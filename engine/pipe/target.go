package pipe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/unnamed"
)

// Target is a file that a program writes. Unless it is written in place, it has no name, or
// another name in the same directory, until Commit, so an incomplete file is never visible.
type Target struct {
	File    *os.File
	path    string // the name that Commit gives it; "" if it has that already
	added   bool   // Commit appends it to path instead of replacing that
	unnamed bool   // it has no name yet
}

// Mode selects how a target is written.
type Mode uint8

const (
	Atomic         Mode = iota // Commit creates or replaces the file
	InPlace                    // the file is truncated and written
	Append                     // the file is appended to
	AppendAtCommit             // Commit appends everything to the file at once
)

// OpenTarget opens the file path for writing. It makes the directory if need be. It follows
// links, as a shell does: the file that a link names is written or created, and the link
// stays. A file that is not regular is always written in place. The caller must call Commit
// or Discard.
func OpenTarget(ctx context.Context, path string, mode Mode) (*Target, error) {
	path, descriptor, err := follow(path)
	if err != nil {
		return nil, err
	}
	if descriptor {
		return openDescriptor(path)
	}
	perm := fs.FileMode(0o666)
	st, err := os.Stat(path)
	exists := err == nil
	if exists {
		if !st.Mode().IsRegular() && (mode == Atomic || mode == AppendAtCommit) {
			mode = InPlace
		}
		perm = st.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	switch mode {
	case InPlace:
		f, err := fifo.Open(ctx, path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		return &Target{File: f}, err
	case Append:
		f, err := openToAdd(ctx, path)
		return &Target{File: f}, err
	case AppendAtCommit:
		if exists { // so that an error is found before the program runs
			f, err := openToAdd(ctx, path)
			if err != nil {
				return nil, err
			}
			f.Close()
		}
		f, err := unnamed.File()
		return &Target{File: f, path: path, added: true}, err
	}
	f, without := unnamed.CreateFor(path, perm)
	if !without {
		if f, err = openBeside(path, perm); err != nil {
			return nil, err
		}
	}
	if exists {
		f.Chmod(perm) // the old permissions, whatever the umask
	}
	return &Target{File: f, path: path, unnamed: without}, nil
}

func openToAdd(ctx context.Context, path string) (*os.File, error) {
	return fifo.Open(ctx, path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
}

// mostLinks is the maximum number of links followed, the same as the kernel's.
const mostLinks = 40

// follow returns the path that the link path leads to, whether a file exists there or not,
// or path itself if it is not a link. It does not follow the name of an open descriptor, for
// which descriptor is true.
func follow(path string) (end string, descriptor bool, err error) {
	end = path
	for range mostLinks {
		dir, name := filepath.Split(end)
		if name == "" || name == ".." {
			return end, false, nil
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return end, false, nil // it will be made, or opening the file will fail
		}
		end = filepath.Join(real, name)
		link, err := os.Readlink(end)
		switch {
		case real == "/dev/fd" || strings.HasPrefix(real, "/proc/") && filepath.Base(real) == "fd":
			return end, true, nil
		case err != nil:
			return end, false, nil
		case filepath.IsAbs(link):
			end = link
		default:
			end = real + string(filepath.Separator) + link // not cleaned: it may go up from another link
		}
	}
	return "", false, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
}

// openDescriptor opens the file of a descriptor, by the descriptor's name. For weft's own
// streams it duplicates the descriptor: they may be files, whose offset must be shared.
func openDescriptor(path string) (*Target, error) {
	if filepath.Dir(path) == "/dev/fd" || filepath.Dir(path) == fmt.Sprintf("/proc/%d/fd", os.Getpid()) {
		switch filepath.Base(path) {
		case "1":
			f, err := Dup(os.Stdout)
			return &Target{File: f}, err
		case "2":
			f, err := Dup(os.Stderr)
			return &Target{File: f}, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return &Target{File: f}, err
}

// Commit closes the file and gives it its name, or appends it to the file of that name.
func (t *Target) Commit() error {
	var err error
	switch {
	case t.path == "":
		return t.File.Close()
	case t.added:
		err = t.add()
		t.File.Close()
	case t.unnamed:
		err = cmp.Or(nameBeside(t.File, t.path), t.File.Close())
	default:
		if err = t.File.Close(); err == nil {
			err = os.Rename(t.File.Name(), t.path)
		}
		if err != nil {
			os.Remove(t.File.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", t.path, err)
	}
	return nil
}

// add appends the file to path: by one write, or if it is large by several that end with a
// line, since others may append at the same time.
func (t *Target) add() error {
	size, err := t.File.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	to, err := openToAdd(context.Background(), t.path)
	if err != nil {
		return err
	}
	defer to.Close()
	buf := make([]byte, min(size, 16<<20))
	for at := int64(0); at < size; {
		n, err := t.File.ReadAt(buf[:min(size-at, int64(len(buf)))], at)
		if err != nil && err != io.EOF {
			return err
		}
		piece := buf[:n]
		if at+int64(n) < size {
			if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
				piece = piece[:i+1]
			}
		}
		if _, err := to.Write(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	return to.Close()
}

// Discard closes the file and removes it, unless it was written in place.
func (t *Target) Discard() error {
	err := t.File.Close()
	if t.path != "" && !t.added && !t.unnamed {
		err = errors.Join(err, os.Remove(t.File.Name()))
	}
	return err
}
