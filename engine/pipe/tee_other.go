//go:build !linux

package pipe

import "os"

// tee does nothing: here every byte is copied.
func (f *Fan) tee(r *Source, flow *os.File) error { return nil }
