//go:build !unix

package engine

import "os"

// HandleSignal reports whether a signal was handled without stopping the run: never on this system.
func (e *Engine) HandleSignal(os.Signal) bool { return false }

// HandleSignal is like [Engine.HandleSignal].
func (s *Services) HandleSignal(os.Signal) bool { return false }

// Suspend calls stop: there is no job control on this system.
func (s *Services) Suspend(stop func()) { stop() }
