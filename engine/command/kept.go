package command

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// KeptServices configures services that outlive runs. All fields are required.
type KeptServices struct {
	Run       string // identity in the environment of their processes
	Shell     *shell.Shell
	Processes *proc.Table
	Running   *Running
	Clock     *clock.Clock
	Emit      func(event.Event)
	Flush     func()              // returns when all events so far have been reported
	NewStep   func() event.StepID // returns the ID of a service in its events
}

// NewServices returns services that are kept until Stop.
func NewServices(k KeptServices) *Services { return &Services{kept: &k} }

// settled reports the end of a service that has outlived its run.
func (s *step) settled(started time.Time, err error) {
	ev := &event.StepSettled{Time: time.Now(), Step: s.ID, Task: s.Step.Label, Name: s.Step.Name, Prefix: s.Step.Prefix, Silent: s.Step.Silent,
		Outcome: event.Succeeded, Duration: time.Since(started), Usage: s.usage}
	if err != nil {
		r := executor.Ended(context.Background(), err)
		ev.Outcome, ev.Err, ev.Code = r.Outcome, err, executor.ExitCode(err)
	}
	s.Emit(ev)
}

// keptEnv is the environment of a service whose run has ended: only the sink of events remains.
type keptEnv struct {
	*KeptServices
	unsent <-chan struct{} // closed when the run has sent its last message to the service
}

// Emit implements executor.Env.
func (e keptEnv) Emit(ev event.Event) { e.KeptServices.Emit(ev) }

var errCallKept = errors.New("a service cannot call tasks in watch mode: it outlives the run that started it")

// Call implements executor.Env.
func (keptEnv) Call(context.Context, plan.Call) error { return errCallKept }

// CallConnected implements executor.Env.
func (keptEnv) CallConnected(_ context.Context, calls []plan.Call, _ func(int, *plan.Step) error, _ func(*plan.Step)) []error {
	return slices.Repeat([]error{errCallKept}, len(calls))
}

// Release implements executor.Env: a service that is up holds no slots.
func (keptEnv) Release(f func()) { f() }

// Ask implements executor.Env.
func (keptEnv) Ask(f func()) { f() }

// Hold implements executor.Env.
func (keptEnv) Hold(f func()) { f() }

// Serve implements executor.Env.
func (keptEnv) Serve() {}

// Unneeded implements executor.Env.
func (keptEnv) Unneeded() <-chan struct{} { return nil }

// Retire implements executor.Env.
func (keptEnv) Retire() {}

// Unsent implements executor.Env: messages come from the run that it was started in.
func (e keptEnv) Unsent() <-chan struct{} { return e.unsent }

// own returns the step to start a service of this set with, instead of that of a run.
func (v *Services) own(s *step) *step {
	k := v.kept
	if k == nil {
		return s
	}
	o := s.o
	o.Shell, o.Processes, o.Running, o.Clock = k.Shell, k.Processes, k.Running, k.Clock
	o.Flush, o.Stdin, o.Large = k.Flush, nil, nil
	b := *s.Bound
	b.Env, b.ID, b.Stdin, b.Streams = keptEnv{k, s.Env.Unsent()}, k.NewStep(), false, executor.Streams{}
	b.Cookie = proc.Cookie{Run: k.Run, Step: int(b.ID)}
	own := &step{Bound: &b, Local: New(o)}
	return own
}
