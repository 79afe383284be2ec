package executor

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/sched"
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
func (x *Executor) copied(env *sched.Env, command int, stream event.Stream, p []byte) {
	pool := x.copies
	for len(p) > 0 {
		buf := pool.get()
		n := copy(buf, p)
		p = p[n:]
		env.Emit(&event.Output{Time: time.Now(), Step: env.ID, Command: command, Stream: stream, Data: buf[:n], Release: func() { pool.free <- buf }})
	}
}

// relay reads what one command writes and emits it. Where both streams share one
// pipe, their order is exact.
type relay struct {
	*pipe.Source
	x       *Executor
	env     *sched.Env
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
		y.pending = y.x.o.Clock.AfterFunc(idleAfter, func() {
			y.env.Emit(&event.Output{Time: time.Now(), Step: y.env.ID, Command: y.command, Stream: y.stream, Partial: true})
		})
	}
}

// openRelay starts a relay; its W is for the command's stdout and stderr, or one of them.
func (x *Executor) openRelay(env *sched.Env, command int, stream event.Stream) (*relay, error) {
	source, err := pipe.NewSource(x.o.Clock)
	if err != nil {
		return nil, err
	}
	y := &relay{Source: source, x: x, env: env, command: command, stream: stream, read: make(chan struct{})}
	go y.copy(x.o.Large.Enlarge(source.W))
	return y, nil
}

// copy emits everything until the pipe's end, or until the command has ended and
// left somebody behind who holds the pipe.
func (y *relay) copy(large bool) {
	err := y.emitAll()
	y.flush()
	y.begun(nil)
	if large {
		y.x.o.Large.Release()
	}
	if err == pipe.ErrLingering && y.x.late.add(y.Source) {
		close(y.read)
		y.emitLate()
		y.flush()
		y.x.late.done(y.Source)
		return
	}
	y.Close()
	close(y.read)
}

// emitAll emits what is read into buffers of the pool, and returns why that ended.
func (y *relay) emitAll() error {
	pool := y.x.buffers
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

// emitLate emits what is written by those whom the command left behind. They may
// be many, and silent for long: none has a buffer of the pool while it waits.
func (y *relay) emitLate() {
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
	if y.mask == nil && y.x.o.Secrets.Any() {
		y.mask = y.x.o.Secrets.Writer(reported{y})
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
	y.env.Emit(&event.Output{Time: time.Now(), Step: y.env.ID, Command: y.command, Stream: y.stream, Data: data, Release: release})
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
	w.y.x.copied(w.y.env, w.y.command, w.y.stream, p)
	return len(p), nil
}

// finish returns when everything the command wrote has been emitted.
func (y *relay) finish() {
	y.Finish()
	<-y.read
}

// late are the pipes that processes hold which their commands left behind. They
// are read until the end of the run. The zero value is none.
type late struct {
	mu     sync.Mutex
	pipes  map[*pipe.Source]struct{}
	closed bool
	wg     sync.WaitGroup
}

// add reports whether s may still be read.
func (l *late) add(s *pipe.Source) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.pipes == nil {
		l.pipes = map[*pipe.Source]struct{}{}
	}
	l.pipes[s] = struct{}{}
	l.wg.Add(1)
	return true
}

func (l *late) done(s *pipe.Source) {
	l.mu.Lock()
	delete(l.pipes, s)
	l.mu.Unlock()
	s.Close()
	l.wg.Done()
}

// close returns when what is in the pipes has been emitted.
func (l *late) close() {
	l.mu.Lock()
	l.closed = true
	for s := range l.pipes {
		s.Abandon()
	}
	l.mu.Unlock()
	l.wg.Wait()
}
