package executor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

type timeLimit = time.Duration

func idleTimeOut(name string, limit timeLimit) error {
	return &sched.TimedOut{Name: name, After: limit, Limit: sched.IdleLimit}
}

// attempt is the number of a try at a command, from 1; of is 1 where there is no
// second.
type attempt struct {
	number, of int
}

// command runs one bound command: as often as it may be tried, and each time within
// its time limit.
func (r *run) command(ctx context.Context, i int, c *plan.Command) error {
	retry := &c.Retry
	if retry.Max == 0 {
		return r.try(ctx, i, c, &attempt{number: 1, of: 1})
	}
	for n := 1; ; n++ {
		a := &attempt{number: n, of: retry.Max + 1}
		t, started := r.newTried(), now()
		err := t.over(r.try(context.WithValue(ctx, triedKey{}, t), i, c, a))
		if err == nil || n > retry.Max || ctx.Err() != nil || !again(retry, err, r.having().tail) {
			return err
		}
		delay := delayBefore(retry, n, rand.Float64())
		r.emit(&event.AttemptFailed{Time: now(), Step: r.id(), Command: i, Attempt: n, Attempts: a.of, Code: ExitCode(err), Signal: signalOf(err), Err: err, Duration: now().Sub(started), Delay: delay})
		wait := make(chan struct{})
		timer := r.x.o.Clock.AfterFunc(delay, func() { close(wait) })
		select {
		case <-wait:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// tried is what one of several attempts at a command leaves: nothing, if it fails, of what
// is added to files or captured, by a member of a group that succeeded, too.
type tried struct {
	r              *run
	stdout, stderr int64 // bytes that were captured before the attempt

	mu    sync.Mutex // guards added
	added []*pipe.Target
}

// triedKey is for the attempt, in the context of all that belongs to it.
type triedKey struct{}

func (r *run) newTried() *tried {
	t := &tried{r: r}
	t.stdout, t.stderr = r.having().outputs.sizes()
	return t
}

// tried returns the attempt at a command of r that ctx is of, if others may follow it.
func (r *run) tried(ctx context.Context) *tried {
	if t, ok := ctx.Value(triedKey{}).(*tried); ok && t.r == r {
		return t
	}
	return nil
}

func (t *tried) add(f *pipe.Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.added = append(t.added, f)
}

// over ends the attempt, and returns its error.
func (t *tried) over(err error) error {
	var problems []error
	for _, f := range t.added {
		if err != nil {
			f.Discard()
		} else {
			problems = append(problems, f.Commit())
		}
	}
	if err != nil {
		t.r.having().outputs.truncate(t.stdout, t.stderr)
		return err
	}
	if err := errors.Join(problems...); err != nil {
		return &StreamError{err}
	}
	return nil
}

// delayBefore is the time between attempt n and the next: exponential back-off with
// a limit, and chance, from 0 to 1, spread over the jitter.
func delayBefore(r *plan.Retry, n int, chance float64) time.Duration {
	d := float64(r.Delay) * math.Pow(r.Backoff, float64(n-1))
	d = min(d, float64(r.MaxDelay))
	return time.Duration(d * (1 + r.Jitter*(2*chance-1)))
}

// again reports whether a failed attempt is followed by another.
func again(r *plan.Retry, err error, tail []byte) bool {
	if !isExit(err) {
		return false
	}
	sig, _ := signalOf(err).(syscall.Signal)
	var late *sched.TimedOut
	return r.Covers(ExitCode(err), sig, errors.As(err, &late)) && (r.Match == nil || r.Match.Match(tail))
}

// signalOf is the signal that ended the program which failed with err, or nil.
func signalOf(err error) os.Signal {
	var exit *shell.ExitError
	if errors.As(err, &exit) && exit.Signal != 0 {
		return exit.Signal
	}
	return nil
}

// try runs one attempt within its time limit.
func (r *run) try(ctx context.Context, i int, c *plan.Command, a *attempt) error {
	return r.within(ctx, c.Timeout, func(ctx context.Context) error { return r.limited(ctx, i, c, a) })
}

// within runs f within a time limit; 0 is none.
func (r *run) within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	if limit <= 0 {
		return f(ctx)
	}
	exceeded := &sched.TimedOut{Name: r.step.Label, After: limit}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.x.o.Clock.AfterFunc(limit, func() { cancel(exceeded) }).Stop()
	err := f(ctx)
	if err != nil && context.Cause(ctx) == exceeded {
		return exceeded
	}
	return err
}

// NotAcceptedError is an exit status of 0 that does not count as success.
type NotAcceptedError struct{ Accept []int }

func (e *NotAcceptedError) Error() string {
	return fmt.Sprintf("exit status 0, which is none of the accepted %v", e.Accept)
}

// accepted is err by the exit codes that count as success.
func accepted(err error, codes []int) error {
	if codes == nil {
		return err
	}
	if err == nil {
		if slices.Contains(codes, 0) {
			return nil
		}
		return &NotAcceptedError{codes}
	}
	if exit, ok := err.(*shell.ExitError); ok && slices.Contains(codes, exit.Code) {
		return nil
	}
	return err
}
