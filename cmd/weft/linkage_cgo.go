//go:build cgo

package main

// linkage warns of dynamic linking: a program that links the C library starts slower, and not at
// all in a container without one.
const linkage = " (built with cgo; build with CGO_ENABLED=0 for a program that needs no C library)"
