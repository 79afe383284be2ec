package executor

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

// Body does a step: here, as package command does, or elsewhere. Run is called from the
// goroutine of the step, once everything of it is bound, and returns when all that it started
// has ended. It is called for several steps concurrently.
//
// A layer is a Body around another Body: it ends the step itself or calls the next one.
type Body interface {
	Run(ctx context.Context, b *Bound) Result
}

// Test runs a shell command of a step for its exit status alone: a precondition, a status
// check. It holds if the result has no error.
type Test func(ctx context.Context, b *Bound, text string) Result

// Result is how a step ended.
type Result struct {
	Outcome event.Outcome
	Err     error       // why it failed or was cancelled
	Usage   event.Usage // of all that was run
	Output  *Output     // what it has put out; nil: nothing that was kept
}

// Output is what a step has put out, for the steps that need it and for the report. It is
// not changed once the step has ended.
type Output struct {
	Stdout, Stderr *pipe.Capture  // nil: nothing was captured
	Values         map[string]any // texts, lists and JSON by their names
}

// Bound is a step with all that is needed to do it. The layers fill it in, in the goroutine
// of the step; nothing in it changes once the body runs.
type Bound struct {
	Step    *plan.Step
	Env     Env
	Cookie  proc.Cookie  // what its processes are known by
	ID      event.StepID // for its events; 0: it is only looked at
	Forced  bool         // it runs although it is up to date
	Stdin   bool         // it may read weft's standard input
	Capture bool         // what its commands write to stdout is kept: somebody may ask for it
	begun   bool         // the body was reached
	Dir     string       // where its commands run
	Environ []string     // their environment, shared: it is not changed
	Ends    Ends         // what they are connected to

	steps *exchange
	gang  *sched.Gang        // what it was started together with; nil: it is alone
	links *links             // to others of the gang; nil: there are none
	check *fingerprint.Check // what is recorded of its last success; nil: nothing will be
	used  event.Usage        // by what was tested
}

// Env is what a step reaches of the run that it is in; [sched.Env] is one.
type Env interface {
	Emit(event.Event)
	Call(ctx context.Context, c plan.Call) error
	CallConnected(ctx context.Context, calls []plan.Call, connect func(int, *plan.Step) error, drop func(*plan.Step)) []error
	Release(f func())
}

// Ends are what a step, or one of its commands, is connected to from around it: the pipes of
// a group, or steps that read it. The files belong to whoever made them.
type Ends struct {
	In       *os.File       // stdin; nil: what the keys of commands say
	Out      *os.File       // what stdout must reach, too; nil: nothing
	Err      *os.File       // where stderr goes; nil: what the keys say
	Producer *pipe.Producer // that it is a part of; nil: nobody reads it
	Shown    bool           // Out only shows: nobody needs what is not written
	Activity io.Writer      // gets what is written anywhere, to see that it is; nil: nobody looks
}

// Connected reports whether a file is among the ends.
func (e *Ends) Connected() bool { return e.In != nil || e.Out != nil || e.Err != nil }

// close closes the ends of a step, which are its own.
func (e *Ends) close() {
	for _, f := range [...]*os.File{e.In, e.Out, e.Err} {
		if f != nil {
			f.Close()
		}
	}
}

// Emit emits an event of the step.
func (b *Bound) Emit(ev event.Event) { b.Env.Emit(ev) }

// begin notes that the commands are about to run: after a crash it is not known how they
// ended.
func (b *Bound) begin() {
	b.begun = true
	if b.check != nil {
		b.check.Begin()
	}
}

// readable reports whether the step puts out something that others may ask for.
func (b *Bound) readable() bool { return b.Capture || len(b.Step.Task.Outputs) > 0 }

// test reports why text does not hold, or nil.
func (b *Bound) test(ctx context.Context, test Test, text string) error {
	r := test(ctx, b, text)
	b.used.Add(r.Usage)
	return r.Err
}

// failed is the result of a step that cannot be done.
func failed(err error) Result { return Result{Outcome: event.Failed, Err: err} }

// Ended is the result of a step that was stopped by err, or by what ended ctx.
func Ended(ctx context.Context, err error) Result {
	r := failed(err)
	if Cancelled(ctx, err) {
		r.Outcome = event.Cancelled
	}
	return r
}

// Cancelled reports whether a step that ended with err was stopped from outside.
func Cancelled(ctx context.Context, err error) bool {
	return sched.IsCancelled(err) || ctx.Err() != nil && sched.IsCancelled(context.Cause(ctx))
}

// Unread is the cause that stops a producer which nobody reads any more: as writing would, a
// second later as usual, and at last by force.
type Unread struct{}

func (Unread) Error() string { return "nobody reads its output any more" }

// StopLadder implements proc.Stopper.
func (Unread) StopLadder() proc.Ladder {
	return proc.Ladder{Signal: syscall.SIGPIPE, Harder: time.Second, Grace: proc.DefaultGrace}
}

// CutOff reports whether a producer that ended with err did because nobody read it any more.
func CutOff(err error) bool {
	var unread Unread
	return errors.As(err, &unread) || ExitCode(err) == proc.BrokenPipe
}

// ExitCode returns the exit status behind err, as its method ExitCode tells it: that of the
// command that failed, 124 for a time-out, else 0.
func ExitCode(err error) int {
	if err == nil {
		return 0 // without a variable on the heap
	}
	var status interface{ ExitCode() int }
	if errors.As(err, &status) {
		return status.ExitCode()
	}
	return 0
}
