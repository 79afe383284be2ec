package command

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/proc"
)

// Running knows the commands of a run that run now, and stops them when a signal demands more
// than the end of their contexts. Commands whose context is not done by then are deferred
// ones, which the end of the run does not cancel: together they have one grace period after
// the others have had theirs, and a command that would begin later is killed. The zero value
// is ready to use. It is safe for concurrent use.
type Running struct {
	mu     sync.Mutex // guards the fields below
	groups map[*proc.Group]entry
	cause  error     // why deferred commands have until then
	until  time.Time // zero: however long it takes
	timer  *time.Timer
	moves  int // how many commands have begun or ended
}

// entry is a command that runs.
type entry struct {
	ctx      context.Context // that it runs for
	stopping bool            // it stops another one: it is not told to end, only killed
}

// Stop has every running command told to end as l says, and limits the time of
// deferred ones if that is limited, too.
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

// Kill ends every running command at once, but not those that are deferred, nor
// what a script does at its end (trap … EXIT).
func (r *Running) Kill(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g, e := range r.groups {
		if e.ctx.Err() != nil {
			g.Stop(cause, proc.Ladder{Signal: syscall.SIGKILL})
		}
	}
	r.limit(cause, proc.DefaultGrace)
}

// limit has whatever still runs after a time killed; r.mu is held.
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

// expire ends all that runs.
func (r *Running) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for g := range r.groups {
		g.Kill(r.cause)
	}
}

// Add makes g one of the running commands, until Remove. It is run for ctx.
func (r *Running) Add(ctx context.Context, g *proc.Group) { r.add(g, entry{ctx: ctx}) }

// AddStopping is Add for a command that stops another one, which runs for ctx.
func (r *Running) AddStopping(ctx context.Context, g *proc.Group) {
	r.add(g, entry{ctx: ctx, stopping: true})
}

func (r *Running) add(g *proc.Group, e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups == nil {
		r.groups = map[*proc.Group]entry{}
	}
	r.groups[g] = e
	r.moves++
	if !r.until.IsZero() && !time.Now().Before(r.until) {
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

// Waiting reports whether a run that was told to stop some time ago, as l says, has
// commands to wait for: deferred ones that have time left, and others that were not
// killed yet. moves tells how many have begun or ended so far.
func (r *Running) Waiting(l proc.Ladder, elapsed time.Duration) (waiting bool, moves int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inTime := r.until.IsZero() || time.Now().Before(r.until)
	for g, e := range r.groups {
		limit := g.Grace(l)
		switch {
		case e.ctx.Err() == nil:
			waiting = waiting || inTime
		case g.Killed():
		default:
			waiting = waiting || limit == 0 || elapsed < limit
		}
	}
	return waiting, r.moves
}

// Moved notes that a run gets on with something else than its commands.
func (r *Running) Moved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moves++
}
