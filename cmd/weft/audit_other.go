//go:build !linux

package main

import "context"

// trace runs a task and returns what it does to files: nowhere but on Linux.
func (r *runner) trace(context.Context, string, string) (*accesses, error) {
	return nil, flagError("--audit needs strace, which is available only on Linux")
}
