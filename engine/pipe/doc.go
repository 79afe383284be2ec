// Package pipe moves bytes between programs and weft. It knows file descriptors,
// not tasks: who reads what is its callers' business.
package pipe
