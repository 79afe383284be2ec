package command

import (
	"time"

	"github.com/weftrun/weft/engine/event"
)

const (
	chunk = 256 << 10 // bytes read at once
	// maxChunks bounds the memory of output that was read but not reported.
	maxChunks = 24
)

// buffers is a bounded pool. Whoever wants one while all are in use waits, so that a slow
// terminal slows the commands that write, and nothing else.
type buffers struct {
	free  chan []byte
	spare chan struct{} // permits to allocate
}

func newBuffers() *buffers {
	b := &buffers{free: make(chan []byte, maxChunks), spare: make(chan struct{}, maxChunks)}
	for range maxChunks {
		b.spare <- struct{}{}
	}
	return b
}

func (b *buffers) get() []byte {
	select {
	case p := <-b.free:
		return p
	default:
	}
	select {
	case p := <-b.free:
		return p
	case <-b.spare:
		return make([]byte, chunk)
	}
}

// report emits one stream of a command, as a writer.
type report struct {
	s       *step
	command int // its place in the step
	stream  event.Stream
}

// Write emits copies of p. Their buffers are a pool of their own: whoever waits for one here
// may hold one of the other.
func (r report) Write(p []byte) (int, error) {
	pool := r.s.copies
	for rest := p; len(rest) > 0; {
		buf := pool.get()
		n := copy(buf, rest)
		rest = rest[n:]
		r.emit(buf[:n], func() { pool.free <- buf })
	}
	return len(p), nil
}

// emit emits data itself, which is released when it has been reported.
func (r report) emit(data []byte, release func()) {
	r.s.Emit(&event.Output{Time: time.Now(), Step: r.s.ID, Command: r.command, Stream: r.stream, Data: data, Release: release})
}

// emitPartial tells that nothing has followed an unterminated line for a moment.
func (r report) emitPartial() {
	r.s.Emit(&event.Output{Time: time.Now(), Step: r.s.ID, Command: r.command, Stream: r.stream, Partial: true})
}
