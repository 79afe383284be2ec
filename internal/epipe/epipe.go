// Package epipe knows how a system says that nobody reads a pipe any more.
package epipe

// Is reports whether err, of a write, says that nobody reads what is written.
func Is(err error) bool { return is(err) }
