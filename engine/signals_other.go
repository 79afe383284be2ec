//go:build !unix

package engine

import "os"

// HandOn reports whether a signal is no reason to stop: here each is.
func (e *Engine) HandOn(os.Signal) bool { return false }
