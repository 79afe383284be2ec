package executor

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
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
	if sig == syscall.SIGINT {
		return proc.Ladder{Signal: sig}
	}
	return proc.Ladder{Signal: sig, Grace: grace}
}

// Stops is what the user can insist with: Kill ends every command that runs,
// deferred ones too; those that start later have one grace.
// The zero value is ready to use. It is safe for concurrent use.
type Stops struct {
	mu       sync.Mutex // guards the fields below
	ctx      context.Context
	cancel   context.CancelCauseFunc
	insisted error
}

// Kill ends every running command at once.
func (s *Stops) Kill(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insisted = cause
	if s.cancel != nil {
		s.cancel(cause)
		s.ctx, s.cancel = nil, nil
	}
}

// Current returns the context that the next Kill cancels.
func (s *Stops) Current() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
		if s.insisted != nil {
			insisted, cancel := s.insisted, s.cancel
			time.AfterFunc(grace, func() { cancel(insisted) })
		}
	}
	return s.ctx
}

// start runs sc as processes of their own group, stopped when ctx is done.
func (r *run) start(ctx context.Context, sc *shell.Script) error {
	g := r.x.o.Processes.NewGroup(proc.GroupOptions{Name: r.step.Label, Terminal: sc.Stdin != nil})
	defer g.Close()
	sc.Group = g
	hard := r.x.o.Stops.Current()
	unkill := context.AfterFunc(hard, func() { g.Kill(context.Cause(hard)) })
	defer unkill()
	err := r.x.o.Shell.Run(ctx, sc)
	if ctx.Err() != nil && err != nil {
		// Whatever it made of being stopped, that is why it ended.
		return context.Cause(ctx)
	}
	return err
}

// condition runs text without input or output; nil means it exited zero.
func (r *run) condition(ctx context.Context, text string) error {
	return r.start(ctx, &shell.Script{Text: text, Dir: r.dir, Env: r.vars})
}
