package vars

import (
	"errors"
	"strings"
)

// Outputs returns the value of {{output "task" "name"}}, an output of one of the task's
// needs. The name is "" for its standard output.
type Outputs func(task, name string) (any, error)

// OutputRef is a call of the function output in a template.
type OutputRef struct {
	Task, Name string
	Literal    bool // both are literals; otherwise they are unknown before it is expanded
}

// OutputRefs returns the calls of the function output in a text. It returns none for a text
// that cannot be parsed.
func OutputRefs(text string) []OutputRef {
	if !isTemplate(text) || !strings.Contains(text, "output") {
		return nil
	}
	t := newTemplate(text, false)
	t.compile()
	return t.refs.outputs
}

// SetOutputs sets the outputs of needs for all scopes of the call. The executor of the step
// calls it, before it expands texts that refer to outputs.
func (s *Scope) SetOutputs(o Outputs) { s.outputs = o }

// errNoOutputs is the error of the function output where there are no outputs.
var errNoOutputs = errors.New("output can only stand in cmds, env, stdin.text, status and preconditions of a task, and name a task that it needs")

// output is the function output.
func (x *execution) output(task string, name ...string) (any, error) {
	switch {
	case x.outputs == nil:
		return nil, errNoOutputs
	case len(name) > 0:
		return x.outputs(task, name[0])
	}
	return x.outputs(task, "")
}
