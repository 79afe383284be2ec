//go:build !unix

package control

import "io/fs"

// isOurs returns true: owners are unknown on this system.
func isOurs(fs.FileInfo) bool { return true }

// refused returns false: this error is unknown on this system.
func refused(error) bool { return false }

// lost reports whether an error is that the other end of a connection is gone, which is not known
// here.
func lost(error) bool { return false }
