package command

import (
	"context"
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
	job     job   // the running command; members of groups have copies
	service *step // itself while it is a running or starting service; otherwise nil

	tries     int        // highest number of attempts of a command; 0 if none was retried
	unawaited *unawaited // its background commands; nil until there is one
	announced func()     // of a background command, called when it is announced; nil for others

	mu       sync.Mutex       // guards the fields below
	try      attempt          // of the running command
	usage    event.Usage      // of all its programs
	captures [2]*pipe.Capture // of stdout and stderr; nil: not captured
	sent     *sentMessages    // nil: no messages
}

// withJobserver adds the run's own jobserver to the environment of the commands, if the task has
// `jobserver`. ended is called when all have ended; may be nil. A service gets none: it holds no
// slot, which is the one job that a program may run without a token.
func (s *step) withJobserver(ctx context.Context) (ended func()) {
	if s.o.Jobserver == nil || s.o.Dry || !s.Step.Jobserver() || s.Step.Service() != nil {
		return nil
	}
	b := *s.Bound
	b.Environ, ended = s.o.Jobserver(ctx, b.Environ)
	s.Bound = &b
	return ended
}

// deferred is a `defer` entry that was reached.
type deferred struct {
	index int
	cmd   *plan.Command
}

// before runs the step's commands in order except the one with index end and later ones, and
// returns the deferred ones, including later ones.
func (s *step) before(ctx context.Context, end int) (defers []deferred, err error) {
	for i, c := range s.Step.Commands() {
		switch {
		case i >= end && !c.Defer:
			continue
		case c.Defer:
			defers = append(defers, deferred{i, c})
			continue
		case c.Background && s.o.Background != nil && !s.o.Dry:
			err = s.inBackground(ctx, i, c)
		default:
			err = s.run(ctx, i, c)
		}
		if err == nil {
			continue
		}
		if c.IgnoreError && isExit(err) && ctx.Err() == nil {
			s.Emit(&event.ErrorIgnored{Time: time.Now(), Step: s.ID, Err: err})
			err = nil
			continue
		}
		break
	}
	return defers, err
}

// finish reports that the commands have ended with err, and runs the deferred ones, last first.
func (s *step) finish(ctx context.Context, defers []deferred, err error) {
	if len(defers) > 0 || err != nil && !executor.Cancelled(ctx, err) {
		s.Emit(&event.BodyEnded{Time: time.Now(), Step: s.ID, Err: err})
	}
	s.runDeferred(ctx, defers, err)
}

// runDeferred runs deferred commands whatever has happened to the step: the step's context does not
// reach them, only repeated signals do.
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

// capture returns the capture of stdout, or of stderr. limit and overflow are those of the first
// caller.
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

// output returns the captured output.
func (s *step) output() *executor.Output {
	if s.captures == [2]*pipe.Capture{} && s.sent == nil {
		return nil
	}
	sent := s.sent.mark()
	return &executor.Output{Stdout: s.captures[0], Stderr: s.captures[1], Messages: sent.texts, Sent: sent.namedValues()}
}
