//go:build !unix

package report

import (
	"io"
	"time"
)

// waitWritable sleeps briefly.
func waitWritable(io.Writer) error {
	time.Sleep(time.Millisecond)
	return nil
}

// Probe does nothing: this system has no way to check.
func (o *Out) Probe() {}
