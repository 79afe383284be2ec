package executor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/socket"
)

// Body performs a step: on this machine, as package command does, or elsewhere. Run is called on
// the goroutine of the step, once all of it is bound, and returns when everything it started has
// ended. It is called for several steps concurrently.
//
// A layer is a Body around another Body: it ends the step itself or calls the next one.
type Body interface {
	Run(ctx context.Context, b *Bound) Result
}

// Test runs a shell command of a step for its exit status alone: a precondition or a status check.
// A result without error means success.
type Test func(ctx context.Context, b *Bound, text string) Result

// Result is how a step ended.
type Result struct {
	Outcome event.Outcome
	Err     error       // why it failed or was cancelled
	Usage   event.Usage // of all that was run
	// Attempts is the highest number of attempts of a command; 0 if none was retried.
	Attempts int
	Output   *Output // its outputs; nil: none were kept
	// OnEnd is set if commands of the step are still running: it calls f when the last one has
	// ended, with the error of the first that failed. The run waits for f.
	OnEnd func(f func(error))
}

// Output is the output of a step, for its dependents and for events. It does not change once the
// step has ended.
type Output struct {
	Stdout, Stderr *pipe.Capture  // nil: not captured
	Values         map[string]any // texts, lists and JSON by name

	// Messages are the messages sent on channels (ipc), as JSON, if outputs are made of them; Sent are
	// the named values sent there. Both are only used to compute Values.
	Messages [][]byte
	Sent     map[string]json.RawMessage
}

// Bound is a step with everything that is needed to perform it. The layers fill it in, on the
// goroutine of the step; it does not change once the body runs.
type Bound struct {
	Step    *plan.Step
	Env     Env
	Cookie  proc.Cookie   // identifies its processes
	ID      event.StepID  // for its events; 0: it is only inspected
	Forced  bool          // it runs even if up to date
	Stdin   bool          // it may read weft's standard input
	Capture bool          // the stdout of its commands is kept for readers
	begun   bool          // the body was reached
	ahead   bool          // it is checked before its needs have ended; see prechecker
	Dir     string        // of its commands
	Environ []string      // of its commands; shared and never modified
	Streams Streams       // to which it is connected
	Ports   *socket.Lease // its ports; may be nil

	steps  *exchange
	gang   *sched.Gang        // nil: it is alone
	links  *links             // to others of the gang; may be nil
	check  *fingerprint.Check // record of its last success; nil: nothing will be recorded
	seen   *fingerprint.Check // the last check, whatever its result; nil: none
	used   event.Usage        // by tests
	outer  context.Context    // without its time limit, which holds where it is performed
	job    *cache.Inputs      // how it is performed elsewhere; nil: it is performed here
	place  event.Place        // where it was performed elsewhere; "" before
	worker string             // see event.StepSettled
	stages event.Stages
	anew   bool // an earlier result of it is damaged
	again  bool // it has ended, and makes outputs again that are gone

	leaves bool                  // its outputs may be left elsewhere
	handed map[string]cache.File // inputs that are elsewhere, by their paths from the root
	left   *leftStep             // inputs or outputs were elsewhere: its success is not recorded yet

	asked bool       // the user has answered its prompts
	held  bool       // in a call of hold
	tree  *glob.Tree // contents of directories; nil for a service

	// Recorded means that all output of its commands must be in events, whatever the style.
	Recorded bool
}

// Env is a step's access to its run; [sched.Env] implements it.
type Env interface {
	Emit(event.Event)
	Call(ctx context.Context, c plan.Call) error
	CallConnected(ctx context.Context, calls []plan.Call, connect func(int, *plan.Step) error, drop func(*plan.Step)) []error
	Release(f func())
	Ask(f func())
	Hold(f func())
	Serve()
	Unneeded() <-chan struct{}
	Retire()
	Unsent() <-chan struct{}
}

// Streams are the streams to which a step or a command is connected from outside: the pipes of a
// group, or steps that read it. The caller that opened the files closes them.
type Streams struct {
	In       *os.File       // stdin; nil: as the keys of commands say
	Out      *os.File       // an additional destination of stdout; may be nil
	Err      *os.File       // destination of stderr; nil: as the keys say
	Producer *pipe.Producer // the producer it is part of; nil: it has no readers
	Shown    bool           // Out is only for display: it is not needed for correctness
	Activity io.Writer      // receives everything that is written, to detect activity; may be nil
}

// Connected reports whether a file is among the streams.
func (e *Streams) Connected() bool { return e.In != nil || e.Out != nil || e.Err != nil }

// close closes the streams of a step, which it owns.
func (e *Streams) close() {
	for _, f := range [...]*os.File{e.In, e.Out, e.Err} {
		if f != nil {
			f.Close()
		}
	}
}

// Emit emits an event of the step.
func (b *Bound) Emit(ev event.Event) { b.Env.Emit(ev) }

// begin records that the commands are about to run: after a crash their result is unknown.
func (b *Bound) begin() {
	b.begun = true
	if b.check != nil {
		b.check.Begin()
	}
}

// Elsewhere reports whether the step is performed by a [Remote].
func (b *Bound) Elsewhere() bool { return b.job != nil }

// hold calls f, which does something on this machine, while the step holds slots.
func (b *Bound) hold(f func()) {
	if b.held {
		f()
		return
	}
	b.held = true
	b.Env.Hold(f)
	b.held = false
}

// Anew reports whether a [Remote] must perform the step even if it has a result.
func (b *Bound) Anew() bool { return b.Forced || b.anew }

// HandedOver reports whether an input is where an earlier step has left it.
func (b *Bound) HandedOver(path string) bool {
	_, is := b.handed[path]
	return is
}

// readable reports whether the step has outputs that others may read.
func (b *Bound) readable() bool { return b.Capture || len(b.Step.Task.Outputs) > 0 }

// test runs text and returns why it failed, or nil.
func (b *Bound) test(ctx context.Context, test Test, text string) error {
	var r Result
	b.hold(func() { r = test(ctx, b, text) })
	b.used.Add(r.Usage)
	return r.Err
}

// failed returns the result of a step that cannot be performed.
func failed(err error) Result { return Result{Outcome: event.Failed, Err: err} }

// Ended returns the result of a step that was stopped by err, or by the cause of ctx.
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

// NoReaders is the cause that stops a producer without readers: first as by a failed write, a
// second later as usual, and finally by force.
type NoReaders struct{}

func (NoReaders) Error() string { return "its output is no longer read" }

// StopLadder implements proc.Stopper.
func (NoReaders) StopLadder() proc.Ladder {
	return proc.Ladder{Signal: syscall.SIGPIPE, TermAfter: time.Second, Grace: proc.DefaultGrace}
}

// IsNoReaders reports whether a producer ended with err because it had no readers.
func IsNoReaders(err error) bool {
	var unread NoReaders
	return errors.As(err, &unread) || ExitCode(err) == proc.BrokenPipe
}

// ExitCode returns the exit status of err according to its method ExitCode: that of the failed
// command, 124 for a time-out, otherwise 0.
func ExitCode(err error) int {
	if err == nil {
		return 0 // avoids a variable on the heap
	}
	var status interface{ ExitCode() int }
	if errors.As(err, &status) {
		return status.ExitCode()
	}
	return 0
}
