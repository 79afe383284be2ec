package executor

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// grace is how long commands may take to end after they were told to.
const grace = proc.DefaultGrace

// Interrupt returns the cause of everything that ends because weft got sig: a
// sched.Interrupted that says how processes are stopped for it. An interrupt by
// the user is waited for however long: a cut-off migration is worse than a wait.
func Interrupt(sig os.Signal) error { return interrupt{&sched.Interrupted{Signal: sig}} }

type interrupt struct{ *sched.Interrupted }

// Unwrap returns the cause itself.
func (i interrupt) Unwrap() error { return i.Interrupted }

// StopLadder implements proc.Stopper.
func (i interrupt) StopLadder() proc.Ladder {
	sig, _ := i.Signal.(syscall.Signal)
	switch sig {
	case syscall.SIGINT:
		return proc.Ladder{Signal: sig}
	case syscall.SIGQUIT:
		return proc.Ladder{Signal: syscall.SIGKILL}
	}
	return proc.Ladder{Signal: sig, Grace: grace}
}

// Stops is what ends the commands of a run beside their contexts: each of those that
// run is known to it. Commands whose context is not done by then are deferred: the
// run is being cancelled, and that does not reach them. They have one grace after
// all others have had theirs, together; those that would begin later do not.
// The zero value is ready to use. It is safe for concurrent use.
type Stops struct {
	mu      sync.Mutex // guards the fields below
	running map[*proc.Group]entry
	cause   error     // why deferred commands have until then
	until   time.Time // zero: however long it takes
	timer   *time.Timer
	moves   int // how many commands have begun or ended
}

// entry is a command that runs.
type entry struct {
	ctx   context.Context // that it runs for
	stops bool            // it stops another one: it is not told to end, only killed
}

// Stop has every running command told to end as l says, and limits the time of
// deferred ones if that is limited, too.
func (s *Stops) Stop(cause error, l proc.Ladder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := time.Duration(0)
	for g, e := range s.running {
		if e.ctx.Err() != nil && !e.stops {
			g.Stop(cause, l)
			longest = max(longest, g.Grace(l))
		}
	}
	if l.Grace > 0 {
		s.limit(cause, longest+grace)
	}
}

// Kill ends every running command at once, but not those that are deferred, nor
// what a script does at its end (trap … EXIT).
func (s *Stops) Kill(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g, e := range s.running {
		if e.ctx.Err() != nil {
			g.Stop(cause, proc.Ladder{Signal: syscall.SIGKILL})
		}
	}
	s.limit(cause, grace)
}

// limit has whatever still runs after a time killed; s.mu is held.
func (s *Stops) limit(cause error, d time.Duration) {
	until := time.Now().Add(d)
	if !s.until.IsZero() && s.until.Before(until) {
		return
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cause, s.until, s.timer = cause, until, time.AfterFunc(d, s.over)
}

// over ends all that runs.
func (s *Stops) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g := range s.running {
		g.Kill(s.cause)
	}
}

// Enter makes g one of the running commands, until Leave. It is run for ctx.
func (s *Stops) Enter(ctx context.Context, g *proc.Group) { s.enter(g, entry{ctx: ctx}) }

// EnterStopping is Enter for a command that stops another one, which runs for ctx.
func (s *Stops) EnterStopping(ctx context.Context, g *proc.Group) {
	s.enter(g, entry{ctx: ctx, stops: true})
}

func (s *Stops) enter(g *proc.Group, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = map[*proc.Group]entry{}
	}
	s.running[g] = e
	s.moves++
	if !s.until.IsZero() && !time.Now().Before(s.until) {
		g.Kill(s.cause)
	}
}

// Leave is called when the command of g has ended.
func (s *Stops) Leave(g *proc.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, g)
	s.moves++
}

// Waiting reports whether a run that was told to stop some time ago, as l says, has
// commands to wait for: deferred ones that have time left, and others that were not
// killed yet. moves tells how many have begun or ended so far.
func (s *Stops) Waiting(l proc.Ladder, elapsed time.Duration) (waiting bool, moves int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inTime := s.until.IsZero() || time.Now().Before(s.until)
	for g, e := range s.running {
		limit := g.Grace(l)
		switch {
		case e.ctx.Err() == nil:
			waiting = waiting || inTime
		case g.Killed():
		default:
			waiting = waiting || limit == 0 || elapsed < limit
		}
	}
	return waiting, s.moves
}

// Moved notes that a run gets on with something else than its commands.
func (s *Stops) Moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves++
}

var policies = [...]proc.LeftoverPolicy{
	plan.LeftoverAuto: proc.LeftoverAuto, plan.LeftoverKill: proc.LeftoverKill, plan.LeftoverWait: proc.LeftoverWait, plan.LeftoverKeep: proc.LeftoverKeep,
}

// start runs sc as processes of their own group, stopped when ctx is done.
func (r *run) start(ctx context.Context, sc *shell.Script, p *plan.Process) error {
	o := proc.GroupOptions{Name: r.step.Name, Cookie: r.cookie(), Terminal: sc.Stdin != nil && !sc.Session,
		Stop: proc.Ladder{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Main: p.Stop.Main}, Forwards: p.Signals, Leftover: policies[p.Leftover]}
	if p.Stop.Command != "" {
		o.StopBy = func() error { return r.stopBy(ctx, &p.Stop, sc) }
	}
	g := r.x.o.Processes.NewGroup(o)
	sc.Group = g
	r.x.o.Stops.Enter(ctx, g)
	defer r.x.o.Stops.Leave(g)
	defer func() {
		r.close(ctx, g, p.Leftover)
		r.mu.Lock()
		defer r.mu.Unlock()
		used := event.Usage(g.Usage())
		r.used.Add(used)
		r.usage.Add(used)
	}()
	defer r.harder(ctx, g)()
	err := r.x.o.Shell.Run(ctx, sc)
	if ctx.Err() != nil && err != nil {
		// Whatever it made of being stopped, that is why it ended.
		return context.Cause(ctx)
	}
	return err
}

// stopBy runs the command that stops another one, whose context is ctx, within the
// time that one has.
func (r *run) stopBy(ctx context.Context, stop *plan.Stop, stopped *shell.Script) error {
	x, text, limit := r.x, stop.Command, stop.Grace
	if limit <= 0 {
		limit = grace
	}
	g := x.o.Processes.NewGroup(proc.GroupOptions{Name: r.step.Name, Cookie: r.cookie()})
	x.o.Stops.EnterStopping(ctx, g)
	defer x.o.Stops.Leave(g)
	defer g.Close()
	defer x.o.Clock.AfterFunc(limit, func() { g.Kill(&sched.TimedOut{Name: text, After: limit}) }).Stop()
	err := x.o.Shell.Run(context.Background(), &shell.Script{Text: text, Dir: r.dir, Env: r.vars, Stdout: stopped.Stdout, Stderr: stopped.Stderr, Group: g})
	if err != nil {
		r.emit(&event.StopFailed{Time: now(), Step: r.id(), Task: r.step.Label, Text: text, Err: err})
	}
	return err
}

// close ends the group of a command, which may have to wait for what it left
// behind.
func (r *run) close(ctx context.Context, g *proc.Group, l plan.Leftover) {
	if l == plan.LeftoverWait {
		stop := context.AfterFunc(ctx, func() { g.Stop(context.Cause(ctx), proc.Ladder{Grace: grace}) })
		defer stop()
	}
	for _, left := range g.Close() {
		r.emit(&event.Leftover{Time: now(), Pid: left.Pid, Name: r.x.o.Secrets.MaskCut(left.Name)})
	}
}

// cookie is what the step's processes are known by; a step that is only looked
// at has none of its own.
func (r *run) cookie() proc.Cookie {
	c := proc.Cookie{Run: r.x.o.Run}
	if r.env != nil {
		c.Step = int(r.env.ID)
	}
	return c
}

// noProcess is how conditions are run: nothing is said of them.
var noProcess plan.Process

// condition runs text without input or output; nil means it exited zero.
func (r *run) condition(ctx context.Context, text string) error {
	return r.start(ctx, &shell.Script{Text: text, Dir: r.dir, Env: r.vars}, &noProcess)
}
