package executor

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// drainTime is how long producers that write nothing may go on when nobody reads
// them any more.
const drainTime = 5 * time.Second

// producer is a member of a pipe, or a step, whose output others read. Writing tells
// it that they have had enough; it is stopped when it does not write. The zero value
// is ready.
type producer struct {
	outer *producer // that it is a part of; or nil

	mu    sync.Mutex   // guards the fields below
	kept  int          // commands whose output goes elsewhere, too: into a file, a capture, the log
	timer *clock.Timer // until it is looked at; nil: it has readers
	over  bool         // it has ended
}

// keeps counts a command whose output somebody wants to its end; it goes on
// without readers.
func (p *producer) keeps(n int) {
	for ; p != nil; p = p.outer {
		p.mu.Lock()
		p.kept += n
		p.mu.Unlock()
	}
}

// drain stops a producer that has no readers any more after some time, or at once;
// not as long as it keeps what it writes.
func (x *Executor) drain(p *producer, atOnce bool, stop context.CancelCauseFunc) {
	wait := drainTime
	if atOnce {
		wait = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.timer = x.o.Clock.AfterFunc(wait, func() {
		p.mu.Lock()
		kept := p.kept > 0
		p.mu.Unlock()
		if kept && !atOnce {
			x.drain(p, false, stop)
			return
		}
		stop(closedEarly{})
	})
}

// ended notes that the producer has ended.
func (p *producer) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// closedEarly stops a producer that nobody reads any more: as writing would, a second
// later as usual, and at last by force.
type closedEarly struct{}

// pipedKey marks the context of commands that closedEarly may stop.
type pipedKey struct{}

// harder stops g with SIGTERM, if it did not end by SIGPIPE; the function it returns
// calls that off.
func (r *run) harder(ctx context.Context, g *proc.Group) func() bool {
	if ctx.Value(pipedKey{}) == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if _, early := cause.(closedEarly); early {
			r.x.o.Clock.AfterFunc(time.Second, func() { g.Stop(cause, proc.Ladder{Signal: syscall.SIGTERM, Grace: grace}) })
		}
	})
}

func (closedEarly) Error() string { return "nobody reads its output any more" }

// StopLadder implements proc.Stopper.
func (closedEarly) StopLadder() proc.Ladder {
	return proc.Ladder{Signal: syscall.SIGPIPE, Grace: grace}
}

// cutOff reports whether a producer ended because nobody read it any more.
func cutOff(err error) bool {
	var exit *shell.ExitError
	var early closedEarly
	return errors.As(err, &early) || errors.As(err, &exit) && (exit.Code == proc.BrokenPipe || exit.Signal == syscall.SIGPIPE)
}
