package command

import (
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
	text, limit := stop.Command, stop.Grace
	if limit <= 0 {
		limit = proc.DefaultGrace
	}
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
