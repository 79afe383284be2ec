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
func (o Outcome) String() string { return nameAt(outcomeNames[:], int(o)) }

func nameAt(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// StepStarted tells that a step left the queue.
type StepStarted struct {
	fact   `event:"step_started"`
	Time   time.Time
	Step   StepID   `event:"step"`
	Parent StepID   `event:"parent,omitzero"` // the step that needs or calls it, or 0
	Name   string   `event:"task"`            // full task name, as it can be called
	Task   string   `event:"label,same=Name"` // display name: label or name
	Prefix string   `event:"prefix,omitzero"` // for prefixed output
	Pos    diag.Pos `event:"position,omitzero"`
	Silent bool     `event:"silent,omitzero"` // neither its commands nor "up to date" are announced
}

// Reason is why a task or a command is skipped.
type Reason string

const (
	ByIf       Reason = "if"        // its condition does not hold
	ByPlatform Reason = "platforms" // it is not for this platform
)

// TaskSkipped tells that a step does not run.
type TaskSkipped struct {
	fact   `event:"task_skipped"`
	Time   time.Time
	Step   StepID `event:"step"`
	Reason Reason `event:"reason"`
}

// PreconditionFailed tells which precondition ends a step.
type PreconditionFailed struct {
	fact    `event:"precondition_failed"`
	Time    time.Time
	Step    StepID `event:"step"`
	Message string `event:"message"`
}

// PromptAssumed tells that --yes answered a question.
type PromptAssumed struct {
	fact `event:"prompt_assumed"`
	Time time.Time
	Step StepID `event:"step"`
	Text string `event:"text"`
}

// StatusChecked tells how a status command ended. Step is 0 where a task is only
// looked at.
type StatusChecked struct {
	fact `event:"status_checked"`
	Time time.Time
	Step StepID `event:"step,omitzero"`
	Text string `event:"text"`           // the command
	Err  error  `event:"error,omitzero"` // nil when it exited zero
}

// Resource is what a step waits for although its needs are met.
type Resource string

// Lock is the state of the step's task, which another process holds.
const Lock Resource = "lock"

// Waiting tells that a step whose needs are met cannot go on yet.
type Waiting struct {
	fact   `event:"waiting"`
	Time   time.Time
	Step   StepID   `event:"step"`
	For    Resource `event:"for"`
	Holder string   `event:"holder,omitzero"` // who has it
}

// ErrorIgnored tells that ignore_error covered the error of a command or a called task.
type ErrorIgnored struct {
	fact `event:"error_ignored"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// BodyEnded tells that the commands of a step have ended, with Err, where one
// failed or deferred ones follow.
type BodyEnded struct {
	fact `event:"body_ended"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// DeferFailed tells that a deferred command failed, which changes nothing.
type DeferFailed struct {
	fact `event:"defer_failed"`
	Time time.Time
	Step StepID `event:"step"`
	Err  error  `event:"error,omitzero"`
}

// Suspended tells that a step waits for a task it called; it holds no slot.
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
	Cause    StepID        `event:"cause,omitzero"`  // whose failure this is, when not its own
	Name     string        `event:"task"`            // full task name, as it can be called
	Task     string        `event:"label,same=Name"` // display name
	Prefix   string        `event:"prefix,omitzero"`
	Silent   bool          `event:"silent,omitzero"`
	Outcome  Outcome       `event:"outcome"`
	Code     int           `event:"code"`           // exit status of the command that failed, or 0
	Err      error         `event:"error,omitzero"` // nil unless Failed or Cancelled
	Duration time.Duration `event:"seconds"`
	Usage    Usage         `event:""`
	// Outputs are what it has put out by name, secrets masked: texts, lists and JSON.
	Outputs map[string]any `event:"outputs,omitzero"`
}
