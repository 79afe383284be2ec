//go:build !linux

package statefile

import "errors"

// moveNew is not supported: [Locks] makes and removes files.
func (d *Dir) moveNew(string, string) error { return errors.ErrUnsupported }
