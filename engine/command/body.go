package command

import (
	"context"
	"strconv"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
)

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
