//go:build !unix

package pipe

import (
	"errors"
	"os"
)

// Dup fails: tasks cannot be members of pipes on this system.
func Dup(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, nil
	}
	return nil, errors.ErrUnsupported
}
