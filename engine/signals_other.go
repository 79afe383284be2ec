//go:build !unix

package engine

import "os"

// goesOn reports whether a signal is no reason to stop: here each is.
func (e *Engine) goesOn(os.Signal) bool { return false }
