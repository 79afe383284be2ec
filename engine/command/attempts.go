package command

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// attempt is one attempt at a command of a step. If it fails and may be retried, it undoes
// everything that was appended to files or captured, even by members of a group that succeeded.
// While the command runs, the step's lock guards it.
type attempt struct {
	number, of int            // from 1; of is 1 if there are no retries
	usage      event.Usage    // resources used
	programs   int            // number of programs started
	members    []event.Member // of the pipe that it is
	tail       []byte         // of its output, if the retry condition needs it
	added      []*pipe.Target // targets that receive the output after success
}

// repeated reports whether there may be several attempts.
func (a *attempt) repeated() bool { return a.of > 1 }

// attempts runs the command as often as allowed, each time within its time limit.
func (j *job) attempts(ctx context.Context) error {
	s, retry := j.s, &j.c.Retry
	for n := 1; ; n++ {
		if n > 1 {
			s.tries = max(s.tries, n)
		}
		s.try = attempt{number: n, of: retry.Max + 1}
		captured, sent := s.captured(), s.sent.mark()
		var started time.Time
		if s.try.repeated() {
			started = time.Now()
		}
		err := s.end(captured, j.within(ctx, (*job).reach))
		if err != nil && s.try.repeated() {
			s.sent.forget(sent)
		}
		if err == nil || n > retry.Max || ctx.Err() != nil || !repeats(retry, err, s.try.tail) {
			return err
		}
		delay := delayBefore(retry, n, rand.Float64())
		s.Emit(&event.AttemptFailed{Time: time.Now(), Step: s.ID, Command: j.index, Attempt: n, Attempts: s.try.of, Code: executor.ExitCode(err), Signal: signalOf(err), Err: err, Duration: time.Since(started), Delay: delay})
		wait := make(chan struct{})
		timer := s.o.Clock.AfterFunc(delay, func() { close(wait) })
		select {
		case <-wait:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// captured returns the number of captured bytes of stdout and of stderr.
func (s *step) captured() (n [2]int64) {
	for i, c := range s.captures {
		if c != nil {
			n[i] = c.Size()
		}
	}
	return n
}

// end ends the attempt and returns its error. captured is the state before the attempt.
func (s *step) end(captured [2]int64, err error) error {
	if err != nil && s.try.repeated() {
		for i, c := range s.captures {
			if c != nil {
				c.Truncate(captured[i])
			}
		}
	}
	var problems []error
	for _, f := range s.try.added {
		if err != nil {
			f.Discard()
		} else {
			problems = append(problems, f.Commit())
		}
	}
	if err == nil && problems != nil {
		err = streamError(errors.Join(problems...))
	}
	return err
}

// delayBefore returns the time between attempt n and the next: exponential back-off with a limit,
// plus jitter scaled by chance, from 0 to 1.
func delayBefore(r *plan.Retry, n int, chance float64) time.Duration {
	d := float64(r.Delay) * math.Pow(r.Backoff, float64(n-1))
	d = min(d, float64(r.MaxDelay))
	return time.Duration(d * (1 + r.Jitter*(2*chance-1)))
}

// repeats reports whether a failed attempt is retried.
func repeats(r *plan.Retry, err error, tail []byte) bool {
	if !isExit(err) {
		return false
	}
	sig, _ := signalOf(err).(syscall.Signal)
	return r.Covers(executor.ExitCode(err), sig, is[*sched.TimedOut](err)) && (r.Match == nil || r.Match.Match(tail))
}
