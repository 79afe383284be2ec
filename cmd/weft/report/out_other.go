//go:build !unix

package report

import (
	"io"
	"time"
)

// waitWritable gives the reader of w a moment.
func waitWritable(io.Writer) error {
	time.Sleep(time.Millisecond)
	return nil
}

// Probe does nothing: there is no way to ask.
func (o *Out) Probe() {}
