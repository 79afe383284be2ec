//go:build !unix

package fifo

import (
	"context"
	"os"
)

const nonblock = 0

func absent(string) error { return nil }

// OpenOnce opens the file at path to be read once.
func OpenOnce(path string) (*os.File, error) { return os.Open(path) }

// Open is os.OpenFile: named pipes are not files here.
func Open(_ context.Context, path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, perm)
}
