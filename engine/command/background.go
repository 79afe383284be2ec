package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

// Background holds the background commands of a run: steps do not wait for them, only the run does,
// at its end. Such a command takes no slot and cannot read weft's own input, and its output is not
// that of its task. It is stopped when the run is stopped, or its step while the step still runs;
// the normal end of the step does not stop it. It is safe for concurrent use.
type Background struct {
	ctx     context.Context // of the run
	failed  func(error)
	running sync.WaitGroup
	count   atomic.Int32 // number of running commands

	mu  sync.Mutex // guards err
	err error      // the first failure
}

// NewBackground returns the commands of a run that ends with ctx; failed is called immediately for
// each failure.
func NewBackground(ctx context.Context, failed func(error)) *Background {
	return &Background{ctx: ctx, failed: failed}
}

// Wait waits for all commands and returns the first error. It must be called when no more can be
// started.
func (b *Background) Wait() error {
	b.running.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Any reports whether a command is running.
func (b *Background) Any() bool { return b != nil && b.count.Load() > 0 }

func (b *Background) fail(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.failed(err)
}

// BackgroundError is the failure of a background command.
type BackgroundError struct {
	Text string // displayed text of the command
	Err  error
}

func (e *BackgroundError) Error() string {
	return fmt.Sprintf("background command %q: %v", e.Text, e.Err)
}

// Unwrap returns why it failed.
func (e *BackgroundError) Unwrap() error { return e.Err }

// unawaited are the background commands of one step.
type unawaited struct {
	unlink  []func() bool // each detaches a command from the end of the step
	running sync.WaitGroup

	mu  sync.Mutex // guards err
	err error      // of the first failed command
}

// inBackground starts a command, and returns when it has been announced, or was skipped. A returned
// error ends the step.
func (s *step) inBackground(ctx context.Context, i int, c *plan.Command) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	own := s.apart()
	begun := make(chan struct{})
	own.announced = sync.OnceFunc(func() { close(begun) })
	all := s.o.Background
	run, cancel := context.WithCancelCause(all.ctx)
	if s.unawaited == nil {
		s.unawaited = &unawaited{}
	}
	u := s.unawaited
	u.unlink = append(u.unlink, context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) }))
	u.running.Add(1)
	all.count.Add(1)
	all.running.Go(func() {
		defer all.count.Add(-1)
		defer u.running.Done()
		defer own.announced()
		defer cancel(nil)
		started := time.Now()
		err := own.run(run, i, c)
		if err != nil && c.IgnoreError && isExit(err) && run.Err() == nil {
			s.Emit(&event.ErrorIgnored{Time: time.Now(), Step: s.ID, Err: err})
			err = nil
		}
		ended := &event.BackgroundEnded{Time: time.Now(), Step: s.ID, Command: i, Name: s.Step.Name, Internal: s.Step.Task.Internal, Code: executor.ExitCode(err), Duration: time.Since(started)}
		if err != nil && (run.Err() == nil || errors.Is(err, proc.ErrKeeperLost)) {
			text, _, _ := strings.Cut(s.o.Secrets.Mask(c.Shown), "\n")
			ended.Err = &BackgroundError{Text: text, Err: err}
			all.fail(plan.Wrap(s.Step.Label, int32(s.ID), ended.Err))
		}
		select {
		case <-begun:
			s.Emit(ended)
		default: // skipped
			if ended.Err != nil {
				s.Emit(ended)
			}
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.err == nil {
			u.err = err
		}
	})
	<-begun
	return nil
}

// apart returns a step for a background command of s, which may outlive s.
func (s *step) apart() *step {
	b := *s.Bound
	b.Stdin, b.Capture, b.Streams = false, false, executor.Streams{}
	if len(s.Step.Task.Outputs) > 0 { // the output file is read when the other commands have ended
		b.Environ = slices.DeleteFunc(slices.Clone(b.Environ), func(kv string) bool { return strings.HasPrefix(kv, executor.OutputVariable+"=") })
	}
	return &step{Bound: &b, Local: s.Local}
}

// awaitBackground detaches the background commands of s, and returns a function that waits for
// them; nil if there are none.
func (s *step) awaitBackground() func(func(error)) {
	u := s.unawaited
	if u == nil {
		return nil
	}
	for _, unlink := range u.unlink {
		unlink()
	}
	return func(f func(error)) {
		s.o.Background.running.Go(func() {
			u.running.Wait()
			f(u.err)
		})
	}
}
