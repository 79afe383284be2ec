package command

import (
	"cmp"
	"context"
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

var policies = [...]proc.LeftoverPolicy{
	plan.LeftoverAuto: proc.LeftoverAuto, plan.LeftoverKill: proc.LeftoverKill, plan.LeftoverWait: proc.LeftoverWait, plan.LeftoverKeep: proc.LeftoverKeep,
}

// noProcess is what holds for tests; it is not changed.
var noProcess plan.Process

// test runs text without input or output; nil means it exited zero.
func (s *step) test(ctx context.Context, text string) error {
	return s.start(ctx, &shell.Script{Text: text, Dir: s.Dir, Env: s.Environ}, &noProcess)
}

// start runs sc as processes of their own group, stopped when ctx is done.
func (s *step) start(ctx context.Context, sc *shell.Script, p *plan.Process) error {
	o := proc.GroupOptions{Name: s.Step.Name, Cookie: s.Cookie, Terminal: sc.Stdin != nil && !sc.Session,
		Stop: proc.Ladder{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Main: p.Stop.Main}, Forwards: p.Signals, Leftover: policies[p.Leftover]}
	if p.Stop.Command != "" {
		o.StopBy = func() error { return s.stopBy(ctx, &p.Stop, sc) }
	}
	g := s.o.Processes.NewGroup(o)
	sc.Group = g
	s.o.Running.Add(ctx, g)
	defer s.o.Running.Remove(g)
	defer func() {
		s.close(ctx, g, p)
		used := event.Usage(g.Usage())
		s.mu.Lock()
		defer s.mu.Unlock()
		s.usage.Add(used)
		s.try.usage.Add(used)
	}()
	err := s.o.Shell.Run(ctx, sc)
	if ctx.Err() != nil && err != nil {
		// Whatever it made of being stopped, that is why it ended.
		err = context.Cause(ctx)
	}
	return err
}

// close ends the group of a command, which may have to wait for what it left behind.
func (s *step) close(ctx context.Context, g *proc.Group, p *plan.Process) {
	if p.Leftover == plan.LeftoverWait {
		stop := context.AfterFunc(ctx, func() { g.Stop(context.Cause(ctx), proc.Ladder{Grace: proc.DefaultGrace}) })
		defer stop()
	}
	for _, left := range g.Close() {
		s.Emit(&event.Leftover{Time: time.Now(), Pid: left.Pid, Name: s.o.Secrets.MaskCut(left.Name)})
	}
}

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
	return proc.Ladder{Signal: sig, Grace: proc.DefaultGrace}
}

// stopBy runs the command that stops another one, whose context is ctx, within the time that
// one has.
func (s *step) stopBy(ctx context.Context, stop *plan.Stop, stopped *shell.Script) error {
	text, limit := stop.Command, cmp.Or(stop.Grace, proc.DefaultGrace)
	g := s.o.Processes.NewGroup(proc.GroupOptions{Name: s.Step.Name, Cookie: s.Cookie})
	s.o.Running.AddStopping(ctx, g)
	defer s.o.Running.Remove(g)
	defer g.Close()
	defer s.o.Clock.AfterFunc(limit, func() { g.Kill(&sched.TimedOut{Name: text, After: limit}) }).Stop()
	err := s.o.Shell.Run(context.Background(), &shell.Script{Text: text, Dir: s.Dir, Env: s.Environ, Stdout: stopped.Stdout, Stderr: stopped.Stderr, Group: g})
	if err != nil {
		s.Emit(&event.StopFailed{Time: time.Now(), Step: s.ID, Task: s.Step.Label, Text: text, Err: err})
	}
	return err
}
