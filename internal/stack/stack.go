// Package stack makes the stacks of goroutines large enough before they are deep.
package stack

// Grow lets the calling goroutine use 24 KiB of stack without having to grow it again.
//
// A goroutine begins with a few KiB, and each time that it needs more, all its frames are
// read, copied and adjusted. For one that soon goes deep this costs more than it does,
// unless its stack grows once, while there are few frames.
//
//go:noinline
func Grow() { grow(false) }

//go:noinline
func grow(use bool) byte {
	if !use {
		return 0 // the frame was made room for, and is not touched
	}
	var frame [24 << 10]byte
	return touch(&frame)
}

//go:noinline
func touch(frame *[24 << 10]byte) byte { return frame[len(frame)-1] }
