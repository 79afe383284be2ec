//go:build !linux

package pipe

import "os"

// ForPrograms makes a pipe of which both ends are for programs.
func ForPrograms() (r, w *os.File, err error) { return os.Pipe() }
