//go:build !unix

package jobserver

import (
	"errors"
	"os"
)

// Pool is a number of tokens that programs share; there is none on this system.
type Pool struct{}

// Join joins nothing.
func Join(environ []string) (*Pool, []string, error) { return nil, environ, nil }

// Make returns an error.
func Make(int) (*Pool, error) { return nil, errors.New("a jobserver is not supported on this system") }

// Take takes no token.
func (p *Pool) Take() bool { return false }

// Give does nothing.
func (p *Pool) Give(int) {}

// Await returns a channel that is never closed.
func (p *Pool) Await() <-chan struct{} { return nil }

// Begin does nothing.
func (p *Pool) Begin() {}

// End does nothing.
func (p *Pool) End() {}

// Close does nothing.
func (p *Pool) Close() {}

// Environ returns environ.
func (p *Pool) Environ(environ []string, _ Form) []string { return environ }

// Files returns nothing.
func (p *Pool) Files() (r, w *os.File) { return nil, nil }
