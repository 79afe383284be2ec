package plan

import (
	"fmt"
	"strings"
)

// TaskError wraps what made a task fail, once per level of calling.
type TaskError struct {
	Task string // how the task is shown
	Err  error
}

// Error returns the reference's text without the program's prefix; the command
// line prints the chain itself, with the prefix before each level.
func (e *TaskError) Error() string { return fmt.Sprintf("Failed to run task %q: %v", e.Task, e.Err) }

// Unwrap returns what made the task fail.
func (e *TaskError) Unwrap() error { return e.Err }

// InternalError is a call from the command line of a task that is internal.
type InternalError struct{ Task string }

func (e *InternalError) Error() string { return fmt.Sprintf("Task %q is internal", e.Task) }

// MissingVar is one variable that a task requires and does not have.
type MissingVar struct {
	Name string
	Enum []string // allowed values; nil means any
}

// MissingVarsError is a call without the variables its task requires.
type MissingVarsError struct {
	Task string
	Vars []MissingVar
}

func (e *MissingVarsError) Error() string {
	names := make([]string, len(e.Vars))
	for i, v := range e.Vars {
		names[i] = v.Name
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
		fmt.Fprintf(&b, "  - %s has an invalid value : '%s' (allowed values : %v)\n", v.Name, v.Value, v.Enum)
	}
	return b.String()
}

// CycleError is a call that stands among its own ancestors.
type CycleError struct {
	Path []*Step // from the first occurrence to the call that closes the cycle
	Name string  // the task that is called again
	Why  string  // "needs", "calls", "deep" or "steps"
}

// LoopError is a `for` that cannot be expanded.
type LoopError struct {
	Task string
	What string
}

func (e *LoopError) Error() string { return e.What }

func (e *CycleError) Error() string {
	names := make([]string, 0, len(e.Path)+1)
	for _, s := range e.Path {
		n := fmt.Sprintf("%q", s.Name)
		if p := s.Pos.String(); p != "" {
			n += " (" + p + ")"
		}
		names = append(names, n)
	}
	return strings.Join(append(names, fmt.Sprintf("%q", e.Name)), " -> ")
}
