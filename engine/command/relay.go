package command

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
)

// relay reads what one command writes and reports it. Where both streams share one pipe,
// their order is exact.
type relay struct {
	*pipe.Source
	report  report
	read    chan struct{}    // closed when all of the command has been reported
	mask    *pipe.MaskWriter // nil until there is a secret
	pending *clock.Timer     // until an unterminated line is partial; nil: there is none
}

// partialAfter is how long nothing must follow an unterminated line for it to be shown as it
// is.
const partialAfter = 100 * time.Millisecond

// openRelay starts a relay; its W is for the command's stdout and stderr, or one of them.
func (s *step) openRelay(command int, stream event.Stream) (*relay, error) {
	source, err := pipe.NewSource(s.o.Clock)
	if err != nil {
		return nil, err
	}
	y := &relay{Source: source, report: report{s, command, stream}, read: make(chan struct{})}
	go y.copy(s.o.Large.Enlarge(source.W))
	return y, nil
}

// finish returns when everything the command wrote has been reported.
func (y *relay) finish() {
	y.Finish()
	<-y.read
}

// copy reports everything until the pipe's end, or until the command has ended and has
// leftovers that hold the pipe: these are reported until the end of the run.
func (y *relay) copy(large bool) {
	s := y.report.s
	err := y.copyCommand()
	y.flush()
	y.wrote(nil)
	if large {
		s.o.Large.Release()
	}
	if err == pipe.ErrLingering && s.lingering.add(y.Source) {
		close(y.read)
		y.copyLeftovers()
		y.flush()
		s.lingering.done(y.Source)
		return
	}
	y.Close()
	close(y.read)
}

// copyCommand reports what is read into buffers of the pool, and returns why that ended.
func (y *relay) copyCommand() error {
	pool := y.report.s.buffers
	for {
		buf := pool.get()
		n, err := y.Read(buf)
		if n == 0 {
			pool.free <- buf
		} else {
			end := [1]byte{buf[n-1]} // the buffer belongs to the receiver then
			y.show(buf[:n], func() { pool.free <- buf })
			y.wrote(end[:])
		}
		if err != nil {
			return err
		}
	}
}

// copyLeftovers reports what leftovers write. They may be many, and silent for long: none has
// a buffer of the pool while it waits.
func (y *relay) copyLeftovers() {
	buf := make([]byte, 4<<10)
	for {
		n, err := y.Read(buf)
		if n > 0 {
			y.show(buf[:n], nil)
		}
		if err != nil {
			return
		}
	}
}

// show reports data with secrets masked: data itself if it may be released by the receiver,
// else a copy. What a mask holds back is shown with the next data.
func (y *relay) show(data []byte, release func()) {
	secrets := y.report.s.o.Secrets
	if y.mask == nil && secrets.Any() {
		y.mask = secrets.Writer(y.report)
	}
	switch {
	case y.mask != nil:
		y.mask.Write(data)
		if release != nil {
			release()
		}
	case release == nil:
		y.report.Write(data)
	default:
		y.report.emit(data, release)
	}
}

// flush shows what a mask holds back: nothing more comes.
func (y *relay) flush() {
	if y.mask != nil {
		y.mask.Flush()
	}
}

// wrote notes what was shown last: an unterminated line is partial after a moment.
func (y *relay) wrote(data []byte) {
	if y.pending != nil {
		y.pending.Stop()
		y.pending = nil
	}
	if n := len(data); n > 0 && data[n-1] != '\n' {
		y.pending = y.report.s.o.Clock.AfterFunc(partialAfter, y.report.emitPartial)
	}
}

// lingering are the pipes that leftovers of commands hold. They are read until the end of the
// run. The zero value is none.
type lingering struct {
	mu     sync.Mutex // guards the fields below
	pipes  map[*pipe.Source]struct{}
	closed bool

	reading sync.WaitGroup
}

// add reports whether s may still be read.
func (l *lingering) add(s *pipe.Source) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.pipes == nil {
		l.pipes = map[*pipe.Source]struct{}{}
	}
	l.pipes[s] = struct{}{}
	l.reading.Add(1)
	return true
}

// done closes s, which has been read.
func (l *lingering) done(s *pipe.Source) {
	l.mu.Lock()
	delete(l.pipes, s)
	l.mu.Unlock()
	s.Close()
	l.reading.Done()
}

// close returns when what is in the pipes has been reported.
func (l *lingering) close() {
	l.mu.Lock()
	l.closed = true
	for s := range l.pipes {
		s.Abandon()
	}
	l.mu.Unlock()
	l.reading.Wait()
}
