package pipe

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// drainTime is how long a producer without readers may run if it writes nothing.
const drainTime = 5 * time.Second

// Producer is a member of a pipeline, or a step, whose output others read. When they have ended
// its next write fails; if it does not write, it is stopped. The zero value is ready to use, and
// a nil one does nothing. It is safe for concurrent use.
type Producer struct {
	Parent *Producer // that it is a part of; nil: none. It is set before anything else

	mu    sync.Mutex   // guards the fields below
	kept  int          // number of other uses of the output: a file, a capture, the log
	timer *clock.Timer // until it is stopped; nil if it has readers
	ended bool
}

// Keep counts n more uses of the complete output: the producer then continues without readers.
func (p *Producer) Keep(n int) {
	for ; p != nil; p = p.Parent {
		p.mu.Lock()
		p.kept += n
		p.mu.Unlock()
	}
}

// Drain is called when a producer has lost its readers. It calls stop after five seconds unless
// the output is kept, or at once. stop is called at most once, and never after End.
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

// End records that the producer has ended.
func (p *Producer) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
