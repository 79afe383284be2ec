//go:build !unix

package fifo

import (
	"context"
	"os"
)

const nonblock = 0

// Open is os.OpenFile: named pipes are not files here.
func Open(_ context.Context, path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, perm)
}
