package executor

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/schema"
)

// grace is how long commands may take to end after they were told to.
const grace = 5 * time.Second

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

// Stops is what the user can insist with: Kill ends every command that runs,
// deferred ones too; those that start later have one grace.
// The zero value is ready to use. It is safe for concurrent use.
type Stops struct {
	mu       sync.Mutex // guards the fields below
	running  map[*proc.Group]*time.Timer
	insisted error
}

// Kill ends every running command at once.
func (s *Stops) Kill(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insisted = cause
	for g := range s.running {
		g.Kill(cause)
	}
}

// Enter makes g one of the running commands, until Leave.
func (s *Stops) Enter(g *proc.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = map[*proc.Group]*time.Timer{}
	}
	var last *time.Timer
	if cause := s.insisted; cause != nil {
		last = time.AfterFunc(grace, func() { g.Kill(cause) })
	}
	s.running[g] = last
}

// Leave is called when the command of g has ended.
func (s *Stops) Leave(g *proc.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.running[g]; last != nil {
		last.Stop()
	}
	delete(s.running, g)
}

var policies = [...]proc.Policy{
	schema.LeftoverAuto: proc.Auto, schema.LeftoverKill: proc.KillLeft, schema.LeftoverWait: proc.WaitLeft, schema.LeftoverKeep: proc.Keep,
}

// start runs sc as processes of their own group, stopped when ctx is done.
func (r *run) start(ctx context.Context, sc *shell.Script, p *schema.Processes) error {
	o := proc.GroupOptions{Name: r.step.Name, Cookie: r.cookie(), Terminal: sc.Stdin != nil && !sc.Session,
		Stop: proc.Ladder{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Main: p.Stop.Main}, Passes: p.Signals, Leftover: policies[p.Leftover]}
	if !p.Stop.Command.IsZero() {
		text, err := r.step.Scope.Expand(ctx, p.Stop.Command)
		if err != nil {
			return err
		}
		o.StopBy = func() error { return r.stopBy(text, sc, p.Stop.Grace) }
	}
	g := r.x.o.Processes.NewGroup(o)
	sc.Group = g
	r.x.o.Stops.Enter(g)
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

// stopBy runs the command that stops another one, within the time that one has.
func (r *run) stopBy(text string, stopped *shell.Script, limit time.Duration) error {
	x := r.x
	if limit <= 0 {
		limit = grace
	}
	g := x.o.Processes.NewGroup(proc.GroupOptions{Name: r.step.Name, Cookie: r.cookie()})
	x.o.Stops.Enter(g)
	defer x.o.Stops.Leave(g)
	defer g.Close()
	defer x.o.Clock.AfterFunc(limit, func() { g.Kill(&sched.TimedOut{Name: text, After: limit}) }).Stop()
	err := x.o.Shell.Run(context.Background(), &shell.Script{Text: text, Dir: r.dir, Env: r.vars, Stdout: stopped.Stdout, Stderr: stopped.Stderr, Group: g})
	if err != nil {
		r.notice(event.Notice{Kind: event.StopFailed, A: text, Err: err})
	}
	return err
}

// close ends the group of a command, which may have to wait for what it left
// behind.
func (r *run) close(ctx context.Context, g *proc.Group, l schema.Leftover) {
	if l == schema.LeftoverWait {
		stop := context.AfterFunc(ctx, func() { g.Stop(context.Cause(ctx), proc.Ladder{Grace: grace}) })
		defer stop()
	}
	for _, left := range g.Close() {
		r.emit(&event.LeftBehind{Time: now(), Pid: left.Pid, Name: left.Name})
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

// condition runs text without input or output; nil means it exited zero.
func (r *run) condition(ctx context.Context, text string) error {
	return r.start(ctx, &shell.Script{Text: text, Dir: r.dir, Env: r.vars}, &noProcesses)
}
