// Package epipe recognises the error of writing to a pipe that nobody reads.
package epipe

// Is reports whether err is the error of writing to a pipe that nobody reads.
func Is(err error) bool { return is(err) }
