// Package tail keeps the end of a program's output, to show or check it when the program has
// failed.
package tail

import (
	"bytes"
	"sync"
)

// Buffer keeps the last Max bytes that are written to it. The zero value keeps nothing.
// It is safe for concurrent use.
type Buffer struct {
	Max int

	mu sync.Mutex // guards b
	b  []byte     // up to twice Max, so that few writes move it
}

// Write implements io.Writer. It never fails.
func (t *Buffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p[max(0, len(p)-t.Max):]...)
	if len(t.b) > 2*t.Max {
		t.b = append(t.b[:0], t.b[len(t.b)-t.Max:]...)
	}
	return len(p), nil
}

// Bytes returns a copy of the last bytes, at most Max.
func (t *Buffer) Bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.b[max(0, len(t.b)-t.Max):])
}
