package executor

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// NotDirectoryError is something else where a script was to run.
type NotDirectoryError struct{ Path string }

func (e *NotDirectoryError) Error() string { return e.Path + " is not a directory" }

// CheckDir returns a NotDirectoryError if dir, or what it should be in, is there and is no
// directory. That it is not there is no error: it may still be made.
func CheckDir(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err == nil && !st.IsDir():
		return &NotDirectoryError{dir}
	case errors.Is(err, syscall.ENOTDIR):
		return CheckDir(filepath.Dir(dir))
	}
	return nil
}
