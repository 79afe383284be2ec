//go:build !unix

package engine

import "os"

// goesOn reports whether a signal is no reason to stop: here each is.
func (e *Engine) goesOn(os.Signal) bool { return false }

// stops reports whether a signal ends what is watched.
func stops(os.Signal) bool { return true }

// suspends reports whether a signal is Ctrl-Z: there is none.
func suspends(os.Signal) bool { return false }

func stopSelf() {}
