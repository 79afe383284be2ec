package pipe

import "sync"

// maxBuffers is the number of buffers that may be filled before the first one is written.
const maxBuffers = 4

// writeBehind is a goroutine that writes buffers in the order in which another goroutine
// fills them, so that a disk does not delay a program. Written buffers are reused.
type writeBehind[T any] struct {
	free chan T
	full chan T
	err  error         // of a write; may be read when done is closed
	done chan struct{} // closed when the goroutine has ended
	once sync.Once     // closes full
}

// newWriteBehind starts the goroutine. It gets at most maxBuffers buffers, all of them free,
// and writes them by write. close ends it.
func newWriteBehind[T any](buffers []T, write func(T) error) *writeBehind[T] {
	b := &writeBehind[T]{free: make(chan T, maxBuffers), full: make(chan T, maxBuffers), done: make(chan struct{})}
	for _, buffer := range buffers {
		b.free <- buffer
	}
	go func() {
		defer close(b.done)
		for buffer := range b.full {
			if b.err = write(buffer); b.err != nil {
				return
			}
			b.free <- buffer
		}
	}()
	return b
}

// buffer waits for a free buffer. ok is false after an error.
func (b *writeBehind[T]) buffer() (buffer T, ok bool) {
	select {
	case buffer = <-b.free:
		return buffer, true
	case <-b.done:
		return buffer, false
	}
}

// write hands over a full buffer, or returns the error of an earlier one.
func (b *writeBehind[T]) write(buffer T) error {
	select {
	case b.full <- buffer:
		return nil
	case <-b.done:
		return b.err
	}
}

// close waits until all buffers are written, and returns the error if there was one. It may
// be called again.
func (b *writeBehind[T]) close() error {
	b.once.Do(func() { close(b.full) })
	<-b.done
	return b.err
}
