// Package pipe moves bytes between programs and weft: pipes, pseudo-terminals, captures,
// files that appear when they are complete, and the masking of secrets. It knows file
// descriptors and not tasks: its callers decide who reads what.
package pipe
