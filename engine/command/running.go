package command

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// Running registers the running commands of a run, and stops them when a signal demands more than
// the end of their contexts. Commands whose context is not done by then are deferred ones, which
// the end of the run does not cancel: together they have one grace period after that of the others,
// and a command that begins later is killed. Services get no signal and no time limit: each is
// stopped when nothing needs it. The zero value is ready to use. It is safe for concurrent use.
type Running struct {
	mu     sync.Mutex // guards the fields below
	groups map[*proc.Group]entry
	cause  error     // why deferred commands are limited to until
	until  time.Time // zero: no limit
	end    time.Time // when everything is killed, services too; zero: when they have been stopped
	timer  *time.Timer
	moves  int // number of commands that have begun or ended
}

// entry is a running command.
type entry struct {
	ctx      context.Context // its own context
	stopping bool            // it is a stop command (stop.cmd): it gets no signal, it is only killed
	service  *step           // the running service that it belongs to; may be nil
	probe    bool            // it is a probe of the service
}

// Stop stops every running command as l says. If l has a limit, it limits the time of deferred
// commands too.
func (r *Running) Stop(cause error, l proc.Ladder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest := time.Duration(0)
	for g, e := range r.groups {
		if e.ctx.Err() != nil && !e.stopping {
			g.Stop(cause, l)
			longest = max(longest, g.Grace(l))
		}
	}
	if l.Grace > 0 {
		r.limit(cause, longest+proc.DefaultGrace)
	}
}

// Kill ends every running command at once, services too, but not those that are deferred,
// nor what a script does at its end (trap … EXIT).
func (r *Running) Kill(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g, e := range r.groups {
		if e.ctx.Err() != nil || e.service != nil {
			g.Stop(cause, proc.Ladder{Signal: syscall.SIGKILL})
		}
	}
	r.limit(cause, proc.DefaultGrace)
}

// LimitStop kills everything that still runs after a time, deferred commands and services included,
// and every later command. A longer time than an earlier one has no effect.
func (r *Running) LimitStop(cause error, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end := time.Now().Add(d); r.end.IsZero() || end.Before(r.end) {
		r.end = end
		time.AfterFunc(d, r.expire)
	}
	r.limit(cause, d)
}

// limit is LimitStop without services; r.mu is held.
func (r *Running) limit(cause error, d time.Duration) {
	until := time.Now().Add(d)
	if !r.until.IsZero() && r.until.Before(until) {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.cause, r.until, r.timer = cause, until, time.AfterFunc(d, r.expire)
}

// expire kills the commands whose time is over.
func (r *Running) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g, e := range r.groups {
		if r.isLate(e) {
			g.Kill(r.cause)
		}
	}
}

// isLate reports whether a command's time is over. r.mu is held.
func (r *Running) isLate(e entry) bool {
	if r.end.IsZero() && r.until.IsZero() {
		return false
	}
	now := time.Now()
	return !r.end.IsZero() && !now.Before(r.end) || e.service == nil && !r.until.IsZero() && !now.Before(r.until)
}

// renew gives deferred commands of an ended service, which begin now, the time that those of other
// steps had.
func (r *Running) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := time.Now().Add(proc.DefaultGrace); r.timer != nil && until.After(r.until) {
		r.timer.Stop()
		r.until, r.timer = until, time.AfterFunc(proc.DefaultGrace, r.expire)
	}
}

// signal sends sig to the programs of a service.
func (r *Running) signal(service *step, sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g, e := range r.groups {
		if e.service == service && !e.stopping && !e.probe {
			g.Send(sig)
		}
	}
}

// Add registers g, which runs for ctx, until Remove.
func (r *Running) Add(ctx context.Context, g *proc.Group) { r.add(g, entry{ctx: ctx}) }

func (r *Running) add(g *proc.Group, e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups == nil {
		r.groups = map[*proc.Group]entry{}
	}
	r.groups[g] = e
	r.moves++
	if r.isLate(e) {
		g.Kill(r.cause)
	}
}

// Remove is called when the command of g has ended.
func (r *Running) Remove(g *proc.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.groups, g)
	r.moves++
}

// Waiting reports whether a run that has been stopping for elapsed, as l says, waits for commands:
// deferred ones that have time left, and others that were not killed yet. moves is the number of
// commands that have begun or ended so far.
func (r *Running) Waiting(l proc.Ladder, elapsed time.Duration) (waiting bool, moves int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inTime := r.until.IsZero() || time.Now().Before(r.until)
	for g, e := range r.groups {
		limit := g.Grace(l)
		switch {
		case e.service != nil:
			waiting = waiting || !g.Killed() // it is stopped in its turn, by its own ladder
		case e.ctx.Err() == nil:
			waiting = waiting || inTime
		case g.Killed():
		default:
			waiting = waiting || limit == 0 || elapsed < limit
		}
	}
	return waiting, r.moves
}

// NoteProgress records progress of the run other than by commands.
func (r *Running) NoteProgress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moves++
}
