package vars

import (
	"errors"
	"strings"
)

// Outputs gives the value of {{output "task" "name"}}: what a need of the task has
// put out. The name is "" for what it wrote to standard output.
type Outputs func(task, name string) (any, error)

// OutputRef is a call of the function output in a template.
type OutputRef struct {
	Task, Name string
	Literal    bool // both are written as they are; else they are not known before
}

// OutputRefs returns the calls of the function output in a text, as far as it can
// be parsed.
func OutputRefs(text string) []OutputRef {
	if !isTemplate(text) || !strings.Contains(text, "output") {
		return nil
	}
	t := newTemplate(text, false)
	t.compile()
	return t.refs.outputs
}

// SetOutputs makes the outputs of needs known to the texts of the call's scopes:
// to all of them, and from now on. It belongs to who executes the step.
func (s *Scope) SetOutputs(o Outputs) { s.outputs = o }

// errNoOutputs is what the function output says where there are none.
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
