package pipe

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// drainTime is how long producers that write nothing may go on when nobody reads them any
// more.
const drainTime = 5 * time.Second

// Producer is somebody whose output others read: a member of a pipeline, or a step. Writing
// tells it that they have had enough; one that does not write is stopped. The zero value is
// ready, and a nil one does nothing. It is safe for concurrent use.
type Producer struct {
	Outer *Producer // that it is a part of; nil: none. It is set before anything else

	mu    sync.Mutex   // guards the fields below
	kept  int          // whose output goes elsewhere, too: into a file, a capture, the log
	timer *clock.Timer // until it is looked at; nil: it has readers
	ended bool
}

// Keep counts n more who want the output to its end: the producer goes on without readers.
func (p *Producer) Keep(n int) {
	for ; p != nil; p = p.Outer {
		p.mu.Lock()
		p.kept += n
		p.mu.Unlock()
	}
}

// Drain has a producer that has no readers any more stopped after five seconds, or at once;
// not as long as its output is kept, unless at once. stop is called at most once, and never
// after End.
func (p *Producer) Drain(c *clock.Clock, atOnce bool, stop func()) {
	wait := drainTime
	if atOnce {
		wait = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.timer = c.AfterFunc(wait, func() {
		p.mu.Lock()
		kept := p.kept > 0
		p.mu.Unlock()
		if kept && !atOnce {
			p.Drain(c, false, stop)
			return
		}
		stop()
	})
}

// End notes that the producer has ended.
func (p *Producer) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
