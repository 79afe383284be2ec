package ipc

import (
	"errors"
	"io"
	"os"
)

// pair fails: programs have no further descriptors here.
func pair() (own, program *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}

func readNow(*os.File, []byte) (int, error) { return 0, io.EOF }

func writeNow(f *os.File, b []byte) (int, error) { return f.Write(b) }

func closeWrite(*os.File) {}
