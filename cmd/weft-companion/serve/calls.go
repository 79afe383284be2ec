package serve

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// call is one call of a client, by either protocol.
type call struct {
	method  string // as it is counted
	about   any    // what it asks for: a message, or a path
	from    string // address
	caller  caller
	started time.Time
}

// maxCalls is the maximum number of concurrent calls. Each has a goroutine, and perhaps a file.
const maxCalls = 4096

// calls counts the calls that are under way. It is safe for concurrent use.
type calls struct{ n atomic.Int64 }

// begin counts a call in, or returns a refusal.
func (c *calls) begin() error {
	if c.n.Add(1) > maxCalls {
		c.n.Add(-1)
		return refuse(busy, "the server has %d calls in progress", maxCalls)
	}
	return nil
}

// end counts a call out.
func (c *calls) end() { c.n.Add(-1) }

// finish notes that a call has ended with a code, because of err.
func (s *server) finish(c *call, code string, err error) {
	s.metrics.called(c.method, code, time.Since(c.started))
	s.log.request(c, code)
	if err == nil {
		return
	}
	why, ok := reasonOf(err)
	if !ok || why == absent {
		return
	}
	s.metrics.refused(why)
	switch why {
	case internal:
		s.log.say("%s %s failed: %v", c.method, describe(c.about), err)
	case unknownCaller, noRight, foreignPage, full, busy:
		s.log.quietly("refused (one line of this kind per minute): %s of %s by %s: %v", c.method, c.from, who(c.caller), err)
	}
}

// recovered returns the error of a call that panicked with v, and logs where.
func (s *server) recovered(v any) error {
	s.log.say("a call has panicked: %v: %s", v, debug.Stack())
	return fmt.Errorf("panic: %v", v)
}
