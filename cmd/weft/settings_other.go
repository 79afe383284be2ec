//go:build !unix

package main

import (
	"io/fs"
	"os"
)

// openNow opens a file for reading.
func openNow(path string) (*os.File, error) { return os.Open(path) }

// mayBe cannot tell here whose a file is.
func mayBe(fs.FileInfo, string, owners) bool { return true }
