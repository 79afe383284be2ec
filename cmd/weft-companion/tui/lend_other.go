//go:build !unix

package tui

// terminal does nothing: no run on the whole screen uses the terminal on this system.
type terminal struct{}

func (*terminal) leave() (ended func()) { return func() {} }

func (*terminal) keepEnter() {}
