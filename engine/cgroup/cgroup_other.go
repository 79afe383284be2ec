//go:build !linux

package cgroup

// New returns ErrUnavailable: only Linux has control groups.
func New(string, Limits) (*Group, error) { return nil, ErrUnavailable }

// OutOfMemory returns false.
func (g *Group) OutOfMemory() bool { return false }

// Close does nothing.
func (g *Group) Close() {}

// Killed knows nothing here: it returns 0.
func Killed() int { return 0 }
