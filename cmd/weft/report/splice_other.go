//go:build !linux

package report

import "os"

// splice shows nothing: here everything is written.
func (o *Out) splice(f *os.File, off, end int64) int64 { return off }
