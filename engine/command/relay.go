package command

import (
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
)

const (
	chunk = 256 << 10 // bytes read at once
	// maxChunks bounds the memory of output that was read but not reported.
	maxChunks = 24
)

// buffers is a bounded pool: who wants one while all are out waits, so a slow
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

// copied emits what is in p, in buffers of the pool. It is a pool of its own: those
// who wait for one here may hold one of the other.
func (s *step) copied(command int, stream event.Stream, p []byte) {
	pool := s.x.copies
	for len(p) > 0 {
		buf := pool.get()
		n := copy(buf, p)
		p = p[n:]
		s.Emit(&event.Output{Time: time.Now(), Step: s.ID, Command: command, Stream: stream, Data: buf[:n], Release: func() { pool.free <- buf }})
	}
}

// relay reads what one command writes and emits it. Where both streams share one
// pipe, their order is exact.
type relay struct {
	*pipe.Source
	s       *step
	command int
	stream  event.Stream
	read    chan struct{}    // closed when all of the command has been emitted
	mask    *pipe.MaskWriter // once there is a secret
	pending *clock.Timer     // until an unterminated line is idle
}

// idleAfter is how long nothing must come after an unterminated line for it to be
// shown as it is.
const idleAfter = 100 * time.Millisecond

// begun notes what was emitted last: an unterminated line is told to be idle after a
// moment.
func (y *relay) begun(data []byte) {
	if y.pending != nil {
		y.pending.Stop()
		y.pending = nil
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		y.pending = y.s.x.o.Clock.AfterFunc(idleAfter, func() {
			y.s.Emit(&event.Output{Time: time.Now(), Step: y.s.ID, Command: y.command, Stream: y.stream, Partial: true})
		})
	}
}

// openRelay starts a relay; its W is for the command's stdout and stderr, or one of them.
func (s *step) openRelay(command int, stream event.Stream) (*relay, error) {
	source, err := pipe.NewSource(s.x.o.Clock)
	if err != nil {
		return nil, err
	}
	y := &relay{Source: source, s: s, command: command, stream: stream, read: make(chan struct{})}
	go y.copy(s.x.o.Large.Enlarge(source.W))
	return y, nil
}

// copy emits everything until the pipe's end, or until the command has ended and
// left somebody behind who holds the pipe.
func (y *relay) copy(large bool) {
	err := y.emitAll()
	y.flush()
	y.begun(nil)
	if large {
		y.s.x.o.Large.Release()
	}
	if err == pipe.ErrLingering && y.s.x.lingering.add(y.Source) {
		close(y.read)
		y.emitLingering()
		y.flush()
		y.s.x.lingering.done(y.Source)
		return
	}
	y.Close()
	close(y.read)
}

// emitAll emits what is read into buffers of the pool, and returns why that ended.
func (y *relay) emitAll() error {
	pool := y.s.x.buffers
	for {
		buf := pool.get()
		n, err := y.Read(buf)
		if n == 0 {
			pool.free <- buf
		} else {
			end := [1]byte{buf[n-1]} // the buffer is not ours any more
			y.emit(buf[:n], func() { pool.free <- buf })
			y.begun(end[:])
		}
		if err != nil {
			return err
		}
	}
}

// emitLingering emits what is written by those whom the command left behind. They may
// be many, and silent for long: none has a buffer of the pool while it waits.
func (y *relay) emitLingering() {
	buf := make([]byte, 4<<10)
	for {
		n, err := y.Read(buf)
		if n > 0 {
			y.emit(buf[:n], nil)
		}
		if err != nil {
			return
		}
	}
}

// emit reports data, in which secrets are masked: data itself, if it may be released
// later, else a copy. A mask that holds back the end of one piece shows it with the
// next.
func (y *relay) emit(data []byte, release func()) {
	if y.mask == nil && y.s.x.o.Secrets.Any() {
		y.mask = y.s.x.o.Secrets.Writer(reported{y})
	}
	if y.mask != nil {
		y.mask.Write(data)
		if release != nil {
			release()
		}
		return
	}
	if release == nil {
		reported{y}.Write(data)
		return
	}
	y.s.Emit(&event.Output{Time: time.Now(), Step: y.s.ID, Command: y.command, Stream: y.stream, Data: data, Release: release})
}

// flush reports what a mask holds back: nothing more comes.
func (y *relay) flush() {
	if y.mask != nil {
		y.mask.Flush()
	}
}

// reported is the report, as a writer.
type reported struct{ y *relay }

func (w reported) Write(p []byte) (int, error) {
	w.y.s.copied(w.y.command, w.y.stream, p)
	return len(p), nil
}

// finish returns when everything the command wrote has been emitted.
func (y *relay) finish() {
	y.Finish()
	<-y.read
}
