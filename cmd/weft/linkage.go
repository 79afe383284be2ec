//go:build !cgo

package main

// linkage is empty for a statically linked program.
const linkage = ""
