// Package stack makes the stacks of goroutines large enough before they are deep.
package stack

// init has the main goroutine's stack grow before other packages are initialised, some of which
// have deep calls. This package imports nothing, so that it is among the first.
func init() { Grow() }

// Grow lets the calling goroutine use 24 KiB of stack without having to grow it again.
//
// A goroutine begins with a few KiB, and each time that it needs more, all its frames are
// read, copied and adjusted. For one with deep calls this costs more than its work, unless its
// stack grows once, while there are few frames.
//
//go:noinline
func Grow() { grow(false) }

//go:noinline
func grow(use bool) byte {
	if !use {
		return 0 // the stack has grown for the frame, which is not touched
	}
	var frame [24 << 10]byte
	return touch(&frame)
}

//go:noinline
func touch(frame *[24 << 10]byte) byte { return frame[len(frame)-1] }
