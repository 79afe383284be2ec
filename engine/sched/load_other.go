//go:build !linux

package sched

// load never reports an idle CPU on this system.
type load struct{}

func newLoad() *load { return &load{} }

func (*load) idle() bool { return false }
