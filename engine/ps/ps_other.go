//go:build !linux

package ps

import "time"

// List returns ErrNotHere.
func List() ([]Run, error) { return nil, ErrUnsupported }

// Find returns ErrNotHere.
func Find(string) (Run, error) { return Run{}, ErrUnsupported }

// Stop returns ErrNotHere.
func Stop(Run, time.Duration) (bool, error) { return false, ErrUnsupported }

// Reap returns ErrNotHere.
func Reap([]string, bool) ([]Leftover, error) { return nil, ErrUnsupported }
