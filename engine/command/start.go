package command

import (
	"cmp"
	"context"
	"os"
	"slices"
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

// noProcess is used by tests of steps; it is never modified.
var noProcess plan.Process

// test runs text without input or output; nil means it exited zero.
func (s *step) test(ctx context.Context, text string) error {
	return s.start(ctx, &shell.Script{Text: text, Dir: s.Dir, Env: s.Environ}, &noProcess, entry{ctx: ctx, service: s.service, probe: true})
}

// start runs a script of the command.
func (j *job) start(ctx context.Context, sc *shell.Script) error {
	sc.Began = j.began
	if trace := j.s.o.Trace; trace != nil {
		sc.Extra = append(slices.Clip(sc.Extra), "TRACEPARENT="+trace(j.s.ID, j.index, j.s.try.number))
	}
	if j.c.IPC != nil {
		return j.converse(ctx, sc)
	}
	if j.inherits != nil {
		j.inherits.give(sc)
	}
	return j.startScript(ctx, sc)
}

func (j *job) startScript(ctx context.Context, sc *shell.Script) error {
	return j.s.start(ctx, sc, j.c.Process, entry{ctx: ctx, service: j.s.service})
}

// start runs sc as processes of their own group, stopped when ctx is done.
func (s *step) start(ctx context.Context, sc *shell.Script, p *plan.Process, e entry) error {
	reads := sc.Stdin != nil && sc.Stdin == s.o.Stdin && !sc.Session
	o := proc.GroupOptions{Name: s.Step.Name, Cookie: s.Cookie, Terminal: reads && (s.o.Screen == nil || s.Step.Task.Interactive),
		Stop: proc.Ladder{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Main: p.Stop.Main}, Forwards: p.Signals, Leftover: policies[p.Leftover]}
	if e.service != nil && o.Leftover == proc.LeftoverAuto {
		o.Leftover = proc.LeftoverKill // the next start must not meet processes of the last one
	}
	if p.Stop.Command != "" {
		o.StopFunc = func() error { return s.stopBy(ctx, p, sc) }
	}
	limited, err := s.setUp(sc, p)
	if err != nil {
		return err
	}
	defer s.cgroups.leave(limited)
	g := s.o.Processes.NewGroup(o)
	sc.Group = g
	s.o.Running.add(g, e)
	defer s.o.Running.Remove(g)
	defer func() {
		s.close(ctx, g, p)
		programs, usage := g.Usage()
		used := event.Usage(usage)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.usage.Add(used)
		s.try.usage.Add(used)
		s.try.programs += programs
	}()
	err = s.o.Shell.Run(ctx, sc)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		// however it reacted to being stopped, this is why it ended
		err = context.Cause(ctx)
	default:
		s.explain(err, p.Limits, limited)
	}
	return err
}

// close closes the group of a command, which may have to wait for leftover processes.
func (s *step) close(ctx context.Context, g *proc.Group, p *plan.Process) {
	if p.Leftover == plan.LeftoverWait {
		stop := context.AfterFunc(ctx, func() { g.Stop(context.Cause(ctx), proc.Ladder{Grace: proc.DefaultGrace}) })
		defer stop()
	}
	for _, left := range g.Close() {
		s.Emit(&event.Leftover{Time: time.Now(), Pid: left.Pid, Name: s.o.Secrets.MaskCut(left.Name)})
	}
}

// Interrupt returns the cause of everything that ends because weft received sig: a
// sched.Interrupted that determines how processes are stopped. After an interrupt by the user weft
// waits indefinitely: a cut-off migration is worse than a wait.
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

// stopBy runs the stop command of another command, whose context is ctx, as the same user and
// within the same time limit.
func (s *step) stopBy(ctx context.Context, p *plan.Process, stopped *shell.Script) error {
	g := s.o.Processes.NewGroup(proc.GroupOptions{Name: s.Step.Name, Cookie: s.Cookie})
	text, limit := p.Stop.Command, g.LimitTimeout(cmp.Or(p.Stop.Grace, proc.DefaultGrace))
	s.o.Running.add(g, entry{ctx: ctx, stopping: true, service: s.service})
	defer s.o.Running.Remove(g)
	defer g.Close()
	defer s.o.Clock.AfterFunc(limit, func() { g.Kill(&sched.TimedOut{Name: text, After: limit}) }).Stop()
	sc := shell.Script{Text: text, Dir: s.Dir, Env: s.Environ, Stdout: stopped.Stdout, Stderr: stopped.Stderr, Group: g}
	if p.User != "" {
		sc.Argv = []string{"sh", "-c", text}
	}
	limited, err := s.setUp(&sc, p)
	if err == nil {
		defer s.cgroups.leave(limited)
		err = s.o.Shell.Run(context.Background(), &sc)
	}
	if err != nil {
		s.Emit(&event.StopFailed{Time: time.Now(), Step: s.ID, Task: s.Step.Label, Text: text, Err: err})
	}
	return err
}
