package event

import (
	"os"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Outcome is how a step ended.
type Outcome uint8

const (
	Succeeded Outcome = iota + 1 // its commands ran
	Fresh                        // nothing to do: up to date
	Restored                     // outputs were restored from the cache
	Failed
	Skipped   // a condition or platform excluded it
	Cancelled // stopped, or never started, because of something else
)

var outcomeNames = [...]string{"", "succeeded", "fresh", "restored", "failed", "skipped", "cancelled"}

// String returns the outcome's name in event files, or "".
func (o Outcome) String() string { return nameAt(outcomeNames[:], int(o)) }

func nameAt(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// StepStarted means that a step left the queue.
type StepStarted struct {
	fact   `event:"step_started"`
	Time   time.Time
	Step   StepID   `event:"step"`
	Parent StepID   `event:"parent,omitzero"` // the step that needs or calls it, or 0
	Name   string   `event:"task"`            // full, callable task name
	Task   string   `event:"label,same=Name"` // display name: label or name
	Prefix string   `event:"prefix,omitzero"` // for prefixed output
	Pos    diag.Pos `event:"position,omitzero"`
	Silent bool     `event:"silent,omitzero"` // neither its commands nor "up to date" are announced
	// Internal means that only other tasks can call it.
	Internal bool `event:"internal,omitzero"`
	// GivenVars means that what needs, calls or starts the step passes it variables.
	GivenVars bool `event:"given_variables,omitzero"`
	// Reasons are the reasons why it runs, as far as they are known without checking its files; nil
	// unless [Wants] include them. See [StepChecked].
	Reasons []string `event:"reasons,omitzero"`
	Env     []string `event:"env,omitzero"` // names of the variables declared for its commands; nil unless [Wants] include Reasons
	Key     string   `event:"key,omitzero"` // as in [PlannedStep]; "" unless [Wants] include Graph, and in files written with RunOnce
	// Call is the plan.Call that runs the task again with the variables it was given, for the
	// program that runs it: it is never encoded. It is nil where the name alone does that, and
	// for a run that takes no requests.
	Call any
}

func (ev *StepStarted) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"step_started","time":"`, ev.Time)
	b = e.step(b, ev.Step)
	x := e.expects()
	var prefix string
	var pos diag.Pos
	if e.brief {
		prefix = ev.Task
		if s := x.step(ev.Step); s != nil {
			pos = s.pos
		}
	}
	b = e.numberUnless(b, `,"parent":`, int64(ev.Parent), int64(x.started.Parent))
	b = text(b, `,"task":`, ev.Name)
	if ev.Task != ev.Name {
		b = text(b, `,"label":`, ev.Task)
	}
	b = e.textUnless(b, `,"prefix":`, ev.Prefix, prefix)
	b = e.positionUnless(b, `,"position":`, ev.Pos, pos)
	b = e.flagUnless(b, `,"silent":true`, ev.Silent, x.started.Silent)
	b = flagIf(b, `,"internal":true`, ev.Internal)
	b = flagIf(b, `,"given_variables":true`, ev.GivenVars)
	b = e.reasonsUnless(b, ev.Reasons, x.started.Reasons)
	b = textsIf(b, `,"env":`, ev.Env)
	if !e.RunOnce {
		b = textIf(b, `,"key":`, ev.Key)
	}
	return b
}

// StepChecked lists the reasons why a step runs, found by checking its files. It is not sent for a
// step that is not checked or is up to date, or unless [Wants] include Reasons.
type StepChecked struct {
	fact    `event:"step_checked"`
	Time    time.Time
	Step    StepID   `event:"step"`
	Reasons []string `event:"reasons,omitzero"` // at most [MaxReasons]
}

// MaxReasons is the maximum number of reasons in a [StepChecked].
const MaxReasons = 20

// Reason is why a task or a command is skipped.
type Reason string

const (
	ByIf       Reason = "if"        // its condition does not hold
	ByPlatform Reason = "platforms" // it is not for this platform
)

// TaskSkipped means that a step does not run.
type TaskSkipped struct {
	fact   `event:"task_skipped"`
	Time   time.Time
	Step   StepID `event:"step"`
	Reason Reason `event:"reason"`
}

// PreconditionFailed is the precondition that ended a step.
type PreconditionFailed struct {
	fact    `event:"precondition_failed"`
	Time    time.Time
	Step    StepID `event:"step"`
	Message string `event:"message"`
}

// PromptAssumed means that --yes answered a question.
type PromptAssumed struct {
	fact `event:"prompt_assumed"`
	Time time.Time
	Step StepID `event:"step"`
	Text string `event:"text"`
}

// StatusChecked is the result of a status command. Step is 0 if a task is only inspected.
type StatusChecked struct {
	fact `event:"status_checked"`
	Time time.Time
	Step StepID `event:"step,omitzero"`
	Text string `event:"text"`           // the command
	Err  error  `event:"error,omitzero"` // nil when it exited zero
}

// Resource is something a step waits for after its needs are met.
type Resource string

const (
	Slot     Resource = "slot"     // a slot for concurrent steps
	Lock     Resource = "lock"     // the state of the step's task, locked by another process
	Terminal Resource = "terminal" // weft's own, used by another step
)

// Pool returns the resource for the capacity of a pool.
func Pool(name string) Resource { return Resource("pool:" + name) }

// Waiting means that a step whose needs are met cannot start, or continue, yet.
type Waiting struct {
	fact   `event:"waiting"`
	Time   time.Time
	Step   StepID   `event:"step"`
	For    Resource `event:"for"`
	Holder string   `event:"holder,omitzero"` // who holds the resource
}

func (ev *Waiting) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"waiting","time":"`, ev.Time)
	b = number(b, `,"step":`, int64(ev.Step))
	b = text(b, `,"for":`, string(ev.For))
	b = textIf(b, `,"holder":`, ev.Holder)
	return b
}

// ErrorIgnored means that ignore_error covered the error of a command or a called task.
type ErrorIgnored struct {
	fact `event:"error_ignored"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// BodyEnded means that the commands of a step have ended, with error Err, if one failed or deferred
// commands follow.
type BodyEnded struct {
	fact `event:"body_ended"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// DeferFailed means that a deferred command failed, which has no effect.
type DeferFailed struct {
	fact `event:"defer_failed"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// Suspended means that a step waits for a task it called; it holds no slot.
type Suspended struct {
	fact `event:"suspended"`
	Time time.Time
	Step StepID `event:"step"`
}

// Resumed ends a suspension.
type Resumed struct {
	fact `event:"resumed"`
	Time time.Time
	Step StepID `event:"step"`
}

// StepSettled closes a step.
type StepSettled struct {
	fact     `event:"step_settled"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Parent   StepID        `event:"parent,omitzero"`
	Cause    StepID        `event:"cause,omitzero"`  // step whose failure caused this one, if it did not fail itself
	Name     string        `event:"task"`            // full, callable task name
	Task     string        `event:"label,same=Name"` // display name
	Prefix   string        `event:"prefix,omitzero"`
	Silent   bool          `event:"silent,omitzero"`
	Internal bool          `event:"internal,omitzero"` // only other tasks can call it
	Outcome  Outcome       `event:"outcome"`
	Code     int           `event:"code"`           // exit status of the failed command, or 0
	Err      error         `event:"error,omitzero"` // nil unless Failed or Cancelled
	Duration time.Duration `event:"seconds"`
	Usage    Usage         `event:""`
	// Outputs are its named outputs, secrets masked: texts, lists and JSON.
	Outputs  map[string]any `event:"outputs,omitzero"`
	Signal   os.Signal      `event:"signal,omitzero"`   // signal that ended the failed command, or nil
	Attempts int            `event:"attempts,omitzero"` // highest number of attempts of a command; 0 if none was retried
	OOM      bool           `event:"oom,omitzero"`      // probably killed because memory was exhausted
	// Fingerprint is equal for steps with equal inputs, in hexadecimal digits; "" if unknown.
	Fingerprint string   `event:"fingerprint,omitzero"`
	Place       Place    `event:"place,omitzero"`  // "" if nothing was done
	Worker      string   `event:"worker,omitzero"` // of the server that has performed it, as the server calls it
	Stages      Stages   `event:"stages,omitzero"` // zero unless Place is Remote
	Inputs      Inputs   `event:"inputs,omitzero"` // zero if its files were not checked
	Wrote       []string `event:"wrote,omitzero"`  // existing paths that it generates, relative to the root; at most [MaxWrote]
}

func (ev *StepSettled) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"step_settled","time":"`, ev.Time)
	b = e.step(b, ev.Step)
	x := e.expects()
	was, used := &nothing.started, &nothing.used
	if s := x.step(ev.Step); s != nil && s.started != nil {
		was, used = s.started, &s.used
	} else if e.brief {
		e.incomplete = true
	}
	b = e.numberUnless(b, `,"parent":`, int64(ev.Parent), int64(was.Parent))
	b = numberIf(b, `,"cause":`, int64(ev.Cause))
	if !e.brief || ev.Name != was.Name || ev.Task != was.Task {
		e.incomplete = e.incomplete || e.brief && (ev.Name == "" || ev.Task == "")
		b = text(b, `,"task":`, ev.Name)
		if ev.Task != ev.Name {
			b = text(b, `,"label":`, ev.Task)
		}
	}
	b = e.textUnless(b, `,"prefix":`, ev.Prefix, was.Prefix)
	b = e.flagUnless(b, `,"silent":true`, ev.Silent, was.Silent)
	b = e.flagUnless(b, `,"internal":true`, ev.Internal, was.Internal)
	b = text(b, `,"outcome":`, ev.Outcome.String())
	b = e.whole(b, `,"code":`, int64(ev.Code))
	if ev.Err != nil {
		b = e.failure(b, ev.Err)
	}
	b = e.lasted(b, `,"seconds":`, ev.Duration)
	if written := ev.Usage.written(); !e.brief || written != *used {
		e.incomplete = e.incomplete || e.brief && written == Usage{}
		b = ev.Usage.encode(b)
	}
	if ev.Outputs != nil {
		b = e.part(b, "outputs", &ev.Outputs)
	}
	if ev.Signal != nil {
		b = e.part(b, "signal", &ev.Signal)
	}
	b = numberIf(b, `,"attempts":`, int64(ev.Attempts))
	b = flagIf(b, `,"oom":true`, ev.OOM)
	b = textIf(b, `,"fingerprint":`, ev.Fingerprint)
	b = e.textUnless(b, `,"place":`, string(ev.Place), string(x.place))
	b = textIf(b, `,"worker":`, ev.Worker)
	if ev.Stages != (Stages{}) {
		b = e.part(b, "stages", &ev.Stages)
	}
	if ev.Inputs != (Inputs{}) {
		b = e.part(b, "inputs", &ev.Inputs)
	}
	b = textsIf(b, `,"wrote":`, ev.Wrote)
	return b
}

// MaxWrote is the maximum number of paths in a [StepSettled].
const MaxWrote = 50

// Place is where the work of a step was done.
type Place string

const (
	Here   Place = "here"
	Cache  Place = "cache" // an earlier run, which stored the result in the cache
	Remote Place = "remote"
)

// Stages is how long each [Stage] of a step has taken.
type Stages struct {
	Lookup    time.Duration `event:"lookup,omitzero"`
	Upload    time.Duration `event:"upload,omitzero"`
	Queued    time.Duration `event:"queued,omitzero"`
	Executing time.Duration `event:"running,omitzero"`
	Download  time.Duration `event:"download,omitzero"`
}

// Of returns the duration of a stage, to be changed; nil for "".
func (s *Stages) Of(stage Stage) *time.Duration {
	switch stage {
	case Lookup:
		return &s.Lookup
	case Upload:
		return &s.Upload
	case Queued:
		return &s.Queued
	case Executing:
		return &s.Executing
	case Download:
		return &s.Download
	}
	return nil
}

// Inputs are the files that a step depends on.
type Inputs struct {
	Files int   `event:"files"`
	Bytes int64 `event:"bytes"`
}
