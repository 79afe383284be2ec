//go:build !cgo

package main

// linkage has nothing to tell of a program that is linked statically.
const linkage = ""
