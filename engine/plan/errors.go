package plan

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// TaskError wraps the error that made a task fail, once per level of calling.
type TaskError struct {
	Task string // how the task is shown
	Step int32  // its number in the run; 0 if it did not become a step
	Err  error
}

// Error returns the reference's text without the program's prefix; the command
// line prints the chain itself, with the prefix before each level.
func (e *TaskError) Error() string { return fmt.Sprintf("Failed to run task %q: %v", e.Task, e.Err) }

// Unwrap returns the error that made the task fail.
func (e *TaskError) Unwrap() error { return e.Err }

// CommandError is the error of a command that could not be run or continued for a reason outside of
// it: a script that weft's own shell cannot parse, or that exceeds a limit.
type CommandError struct {
	Pos diag.Pos
	Err error
}

// Error returns the reference's text, which is without the position.
func (e *CommandError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// Problems returns the problems in an error of [Expander.Expand], in order of expansion.
func Problems(err error) []error {
	if many, ok := err.(*multierror.Error); ok {
		return many.Errors
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Wrap returns err with each problem in it wrapped in a [TaskError]: step is the number of the
// task's step, or 0.
func Wrap(task string, step int32, err error) error {
	problems := Problems(err)
	if len(problems) == 1 {
		return &TaskError{Task: task, Step: step, Err: problems[0]}
	}
	var wrapped *multierror.Error
	for _, p := range problems {
		wrapped = multierror.Append(wrapped, &TaskError{Task: task, Step: step, Err: p})
	}
	return wrapped
}

// InternalError is a call from the command line of a task that is internal.
type InternalError struct{ Task string }

func (e *InternalError) Error() string { return fmt.Sprintf("Task %q is internal", e.Task) }

// MissingVarsError is a call without the variables its task requires.
type MissingVarsError struct {
	Task string
	Vars []*schema.Required
}

func (e *MissingVarsError) Error() string {
	names := make([]string, len(e.Vars))
	for i, v := range e.Vars {
		names[i] = diag.Printable(v.Name)
		if v.Enum != nil {
			names[i] += fmt.Sprintf(" (allowed values: %v)", v.Enum)
		}
	}
	return fmt.Sprintf("Task %q cancelled because it is missing required variables: %s", e.Task, strings.Join(names, ", "))
}

// InvalidVar is a variable whose value is not one of those allowed.
type InvalidVar struct {
	Name, Value string
	Enum        []string
}

// InvalidVarsError is a call with values its task does not allow.
type InvalidVarsError struct {
	Task string
	Vars []InvalidVar
}

func (e *InvalidVarsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Task %q cancelled because it is missing required variables:\n", e.Task)
	for _, v := range e.Vars {
		fmt.Fprintf(&b, "  - %s has an invalid value : '%s' (allowed values : %s)\n", diag.Printable(v.Name), diag.Printable(v.Value), diag.Printable(fmt.Sprint(v.Enum)))
	}
	return b.String()
}

// CycleReason is the reason why calls were found to be endless.
type CycleReason uint8

const (
	Repeats   CycleReason = iota // a call is among its own ancestors
	TooDeep                      // calls are nested deeper than any limit
	StepLimit                    // the plan explodes
)

// CycleError is a call that can never end.
type CycleError struct {
	Path []*Step  // from the first occurrence to the step that makes the call
	Name string   // the task that is called
	Pos  diag.Pos // of the call
	Why  CycleReason
}

// Error shows the path with the positions of its calls.
func (e *CycleError) Error() string {
	if e.Why == StepLimit {
		return fmt.Sprintf("the plan has more than %d steps, with %s many times; `run: once` makes equal calls one step", maxSteps, at(e.Name, e.Pos))
	}
	var b strings.Builder
	if e.Why == TooDeep {
		b.WriteString("calls are nested too deep: ... -> ")
	} else {
		b.WriteString("cycle: ")
	}
	for _, s := range e.Path {
		fmt.Fprintf(&b, "%s -> ", at(s.Name, s.Pos))
	}
	b.WriteString(at(e.Name, e.Pos))
	return b.String()
}

func at(name string, p diag.Pos) string {
	if !p.IsValid() {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q (%s)", name, p)
}

// LoopError is the error of a list of a loop or an enum that cannot be evaluated.
type LoopError struct {
	Task string
	Pos  diag.Pos
	What string
}

func (e *LoopError) Error() string { return e.What }

// ModeError is the error of a `run` other than always, once and when_changed.
type ModeError struct{ Task, Mode string }

func (e *ModeError) Error() string { return fmt.Sprintf("invalid run %q", e.Mode) }
