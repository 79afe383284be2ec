package command

import (
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// step is one step while its commands run.
type step struct {
	*executor.Bound
	*Local
	job job // of the command that runs now; members of groups have copies

	mu       sync.Mutex       // guards the fields below
	try      attempt          // at the command that runs now
	usage    event.Usage      // of all that was run
	captures [2]*pipe.Capture // of stdout and stderr; nil: nothing was captured
}

// makeDir creates the step's directory where the task names one.
func (s *step) makeDir() error {
	if s.Dir == s.o.Root {
		return nil
	}
	return os.MkdirAll(s.Dir, 0o755)
}

// deferred is a `defer` entry that was reached.
type deferred struct {
	index int
	cmd   *plan.Command
}

// commands runs the step's commands in order, then what they deferred, last first.
func (s *step) commands(ctx context.Context) (err error) {
	var defers []deferred
	for i, c := range s.Step.Commands() {
		if c.Defer {
			defers = append(defers, deferred{i, c})
			continue
		}
		if err = s.run(ctx, i, c); err == nil {
			continue
		}
		if c.IgnoreError && isExit(err) && ctx.Err() == nil {
			s.Emit(&event.ErrorIgnored{Time: time.Now(), Step: s.ID, Err: err})
			err = nil
			continue
		}
		break
	}
	if len(defers) > 0 || err != nil && !executor.Cancelled(ctx, err) {
		s.Emit(&event.BodyEnded{Time: time.Now(), Step: s.ID, Err: err})
	}
	s.runDeferred(ctx, defers, err)
	return err
}

// runDeferred runs what was deferred whatever has happened to the step: its context does not
// reach them, only the user's insistence does.
func (s *step) runDeferred(ctx context.Context, defers []deferred, cause error) {
	ctx = context.WithoutCancel(ctx)
	code := ""
	if n := executor.ExitCode(cause); n != 0 {
		code = strconv.Itoa(n)
	}
	for i := len(defers) - 1; i >= 0; i-- {
		d := defers[i]
		cmd, err := s.Step.BindDeferred(ctx, d.cmd, code)
		if err == nil {
			err = s.run(ctx, d.index, cmd)
		}
		if err != nil {
			s.Emit(&event.DeferFailed{Time: time.Now(), Step: s.ID, Err: err})
		}
	}
}

// capture returns the capture of stdout, or of stderr, of at most limit bytes where it is the
// first command's.
func (s *step) capture(stderr bool, limit int64, overflow pipe.Overflow) *pipe.Capture {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.captures[0]
	if stderr {
		c = &s.captures[1]
	}
	if *c == nil {
		*c = pipe.NewCapture(limit, overflow)
	}
	return *c
}

// output is what was captured.
func (s *step) output() *executor.Output {
	if s.captures == [2]*pipe.Capture{} {
		return nil
	}
	return &executor.Output{Stdout: s.captures[0], Stderr: s.captures[1]}
}
