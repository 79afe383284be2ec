package event

import (
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Outcome is how a step ended.
type Outcome uint8

const (
	Succeeded Outcome = iota + 1 // its commands ran
	Fresh                        // nothing to do: up to date
	Restored                     // outputs came from the cache
	Failed
	Skipped   // a condition or platform said no
	Cancelled // stopped, or never started, because of something else
)

var outcomeNames = [...]string{"", "succeeded", "fresh", "restored", "failed", "skipped", "cancelled"}

// String returns the outcome's name as it stands in event files, or "".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return ""
}

// StepStarted tells that a step left the queue.
type StepStarted struct {
	Time   time.Time
	Step   StepID
	Parent StepID // the step that needs or calls it, or 0
	Task   string // display name: label or name
	Name   string // full task name, as it can be called
	Prefix string // for prefixed output
	Pos    diag.Pos
	Silent bool // neither its commands nor "up to date" are announced
}

func (ev *StepStarted) fields(v visitor) {
	beginStep(v, "step_started", &ev.Time, &ev.Step)
	numberOrNone(v, "parent", &ev.Parent)
	names(v, &ev.Name, &ev.Task, &ev.Prefix)
	position(v, &ev.Pos)
	flag(v, "silent", &ev.Silent)
}

// Reason is why a task or a command is skipped.
type Reason string

const (
	ByIf       Reason = "if"        // its condition does not hold
	ByPlatform Reason = "platforms" // it is not for this platform
)

// TaskSkipped tells that a step does not run.
type TaskSkipped struct {
	Time   time.Time
	Step   StepID
	Reason Reason
}

func (ev *TaskSkipped) fields(v visitor) {
	beginStep(v, "task_skipped", &ev.Time, &ev.Step)
	ev.Reason = Reason(v.word("reason", string(ev.Reason)))
}

// PreconditionFailed tells which precondition ends a step.
type PreconditionFailed struct {
	Time    time.Time
	Step    StepID
	Message string
}

func (ev *PreconditionFailed) fields(v visitor) {
	beginStep(v, "precondition_failed", &ev.Time, &ev.Step)
	v.text("message", &ev.Message)
}

// PromptAssumed tells that --yes answered a question.
type PromptAssumed struct {
	Time time.Time
	Step StepID
	Text string
}

func (ev *PromptAssumed) fields(v visitor) {
	beginStep(v, "prompt_assumed", &ev.Time, &ev.Step)
	v.text("text", &ev.Text)
}

// StatusChecked tells how a status command ended. Step is 0 where a task is only
// looked at.
type StatusChecked struct {
	Time time.Time
	Step StepID
	Text string // the command
	Err  error  // nil when it exited zero
}

func (ev *StatusChecked) fields(v visitor) {
	v.begin("status_checked", &ev.Time)
	numberOrNone(v, "step", &ev.Step)
	v.text("text", &ev.Text)
	failure(v, &ev.Err)
}

// Resource is what a step waits for although its needs are met.
type Resource string

// Lock is the state of the step's task, which another process holds.
const Lock Resource = "lock"

// Waiting tells that a step whose needs are met cannot go on yet.
type Waiting struct {
	Time   time.Time
	Step   StepID
	For    Resource
	Holder string // who has it
}

func (ev *Waiting) fields(v visitor) {
	beginStep(v, "waiting", &ev.Time, &ev.Step)
	ev.For = Resource(v.word("for", string(ev.For)))
	textOrNone(v, "holder", &ev.Holder)
}

// ErrorIgnored tells that ignore_error covered the error of a command or a called task.
type ErrorIgnored struct {
	Time time.Time
	Step StepID
	Err  error
}

func (ev *ErrorIgnored) fields(v visitor) {
	beginStep(v, "error_ignored", &ev.Time, &ev.Step)
	failure(v, &ev.Err)
}

// BodyEnded tells that the commands of a step have ended, with Err, where one
// failed or deferred ones follow.
type BodyEnded struct {
	Time time.Time
	Step StepID
	Err  error
}

func (ev *BodyEnded) fields(v visitor) {
	beginStep(v, "body_ended", &ev.Time, &ev.Step)
	failure(v, &ev.Err)
}

// DeferFailed tells that a deferred command failed, which changes nothing.
type DeferFailed struct {
	Time time.Time
	Step StepID
	Err  error
}

func (ev *DeferFailed) fields(v visitor) {
	beginStep(v, "defer_failed", &ev.Time, &ev.Step)
	failure(v, &ev.Err)
}

// Suspended tells that a step waits for a task it called; it holds no slot.
type Suspended struct {
	Time time.Time
	Step StepID
}

func (ev *Suspended) fields(v visitor) {
	beginStep(v, "suspended", &ev.Time, &ev.Step)
}

// Resumed ends a suspension.
type Resumed struct {
	Time time.Time
	Step StepID
}

func (ev *Resumed) fields(v visitor) {
	beginStep(v, "resumed", &ev.Time, &ev.Step)
}

// StepSettled closes a step.
type StepSettled struct {
	Time     time.Time
	Step     StepID
	Parent   StepID
	Task     string // display name
	Name     string // full task name, as it can be called
	Prefix   string
	Silent   bool
	Outcome  Outcome
	Err      error  // nil unless Failed or Cancelled
	Code     int    // exit status of the command that failed, or 0
	Cause    StepID // whose failure this is, when not its own
	Duration time.Duration
	Usage    Usage
	// Outputs are what it has put out by name, secrets masked: texts, lists and JSON.
	Outputs map[string]any
}

func (ev *StepSettled) fields(v visitor) {
	beginStep(v, "step_settled", &ev.Time, &ev.Step)
	numberOrNone(v, "parent", &ev.Parent)
	numberOrNone(v, "cause", &ev.Cause)
	names(v, &ev.Name, &ev.Task, &ev.Prefix)
	flag(v, "silent", &ev.Silent)
	named(v, "outcome", &ev.Outcome)
	number(v, "code", &ev.Code)
	failure(v, &ev.Err)
	v.seconds("seconds", &ev.Duration)
	usage(v, &ev.Usage)
	if v.has("outputs", ev.Outputs != nil) {
		v.outputs(&ev.Outputs)
	}
}
