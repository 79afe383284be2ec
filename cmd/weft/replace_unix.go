//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// replace replaces this process by another program. It returns only on an error.
func replace(path string, argv, environ []string) error {
	return &fs.PathError{Op: "start", Path: path, Err: syscall.Exec(path, argv, environ)}
}
