//go:build !linux

package socket

// taken returns the error of an address that is in use, whose owner is unknown on this system.
func (a *address) taken() *TakenError { return &TakenError{Address: a.text} }

// inodes returns nothing: sockets are not seen on this system.
func (a *address) inodes() []string { return nil }
