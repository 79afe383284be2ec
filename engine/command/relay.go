package command

import (
	"sync"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
)

// relay reads the output of one command and reports it. If both streams share one pipe, their order
// is exact.
type relay struct {
	source *pipe.Source
	pauses
	read chan struct{}    // closed when all output of the command has been reported
	mask *pipe.MaskWriter // nil until there is a secret
	keys *keyboard        // lends the terminal to the program; may be nil
}

// openRelay starts a relay; its W is for the command's stdout and stderr, or one of them.
func (j *job) openRelay(stream event.Stream) (*relay, error) {
	source, err := j.source()
	if err != nil {
		return nil, err
	}
	s := j.s
	y := &relay{source: source, pauses: pauses{report: report{s, j.index, stream}}, read: make(chan struct{})}
	if j.screen && s.o.LendTerminal != nil {
		y.keys = newKeyboard(y)
	}
	go y.copy(s.o.Large.Enlarge(source.W))
	return y, nil
}

// finish returns when everything the command wrote has been reported.
func (y *relay) finish() {
	y.source.Finish()
	<-y.read
	y.keys.end()
}

// copy reports everything until the pipe's end, or until the command has ended and leftover
// processes hold the pipe: their output is reported until the end of the run.
func (y *relay) copy(large bool) {
	s := y.report.s
	err := y.copyCommand()
	y.flush()
	y.wrote(nil)
	if large {
		s.o.Large.Release()
	}
	if err == pipe.ErrLingering && s.lingering.add(y.source) {
		close(y.read)
		y.copyLeftovers()
		y.flush()
		s.lingering.done(y.source)
		return
	}
	y.source.Close()
	close(y.read)
}

// copyCommand reports data read into buffers of the pool, until it ends with an error.
func (y *relay) copyCommand() error {
	pool := y.report.s.buffers
	for {
		buf := pool.get()
		n, err := y.source.Read(buf)
		if n == 0 {
			pool.free <- buf
		} else {
			if y.keys.passes(buf[:n]) {
				pool.free <- buf
				continue
			}
			end := [1]byte{buf[n-1]} // the receiver then owns the buffer
			y.show(buf[:n], func() { pool.free <- buf })
			y.wrote(end[:])
		}
		if err != nil {
			return err
		}
	}
}

// copyLeftovers reports output of leftover processes. They may be many, and silent for long: none
// occupies a buffer of the pool while it waits.
func (y *relay) copyLeftovers() {
	buf := make([]byte, 4<<10)
	for {
		n, err := y.source.Read(buf)
		if n > 0 {
			y.show(buf[:n], nil)
		}
		if err != nil {
			return
		}
	}
}

// show reports data with secrets masked: data itself if the receiver may release it, otherwise a
// copy. Data held back by the mask is shown with the next data.
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

// flush shows data held back by the mask, at the end.
func (y *relay) flush() {
	if y.mask != nil {
		y.mask.Flush()
	}
}

// lingering are the pipes held by leftover processes. They are read until the end of the run. The
// zero value is empty.
type lingering struct {
	mu     sync.Mutex // guards the fields below
	pipes  map[*pipe.Source]struct{}
	closed bool

	reading sync.WaitGroup
}

// add adds s and reports whether it may still be read.
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

// done closes s, which has reached its end.
func (l *lingering) done(s *pipe.Source) {
	l.mu.Lock()
	delete(l.pipes, s)
	l.mu.Unlock()
	s.Close()
	l.reading.Done()
}

// close returns when the data in the pipes has been reported.
func (l *lingering) close() {
	l.mu.Lock()
	l.closed = true
	for s := range l.pipes {
		s.Abandon()
	}
	l.mu.Unlock()
	l.reading.Wait()
}
