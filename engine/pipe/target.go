package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// Target is a file that a program writes. Unless it is in place it has another
// name until Commit, in the same directory, so that nobody ever sees half of it.
type Target struct {
	*os.File
	path string // where it is to be; "" when it is there
}

// Mode is how a target is opened.
type Mode uint8

const (
	Atomic  Mode = iota // it appears with Commit
	InPlace             // it is emptied and written
	Append              // it is added to
)

// OpenTarget opens the file path to be written. Its directory is made if need be. A
// link is followed, and what is no regular file is written in place. It must be
// ended by Commit or Discard.
func OpenTarget(path string, mode Mode) (*Target, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	perm := fs.FileMode(0o666)
	exists := false
	if st, err := os.Stat(path); err == nil {
		exists = true
		if !st.Mode().IsRegular() && mode == Atomic {
			mode = InPlace
		}
		perm = st.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	switch mode {
	case InPlace:
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		return &Target{File: f}, err
	case Append:
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, perm)
		return &Target{File: f}, err
	}
	f, err := os.OpenFile(path+".weft-tmp-"+uuid.NewString()[:8], os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	if exists {
		f.Chmod(perm) // as it was, whatever the umask
	}
	return &Target{File: f, path: path}, nil
}

// Commit closes the file and gives it its name.
func (t *Target) Commit() error {
	err := t.Close()
	if t.path == "" {
		return err
	}
	if err == nil {
		err = os.Rename(t.Name(), t.path)
	}
	if err != nil {
		os.Remove(t.Name())
		return fmt.Errorf("writing %s: %w", t.path, err)
	}
	return nil
}

// Discard closes the file; unless it was written in place nothing of it is left.
func (t *Target) Discard() error {
	err := t.Close()
	if t.path != "" {
		err = errors.Join(err, os.Remove(t.Name()))
	}
	return err
}
