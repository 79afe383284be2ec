package vars

import (
	"errors"
	"strings"

	"github.com/weftrun/weft/schema"
)

// RuntimeValues holds what is known only when a step runs. The executor of the step fills it in,
// and the texts of the step may name it.
type RuntimeValues struct {
	// Output returns the value of {{output "task" "name"}}, an output of one of the task's
	// needs. The name is "" for its standard output.
	Output func(task, name string) (any, error)
	// Port returns the value of {{port "task" "name"}}: the number of a port of one of the
	// task's needs, or with the task "" one of its own.
	Port func(task, name string) (any, error)
}

// RuntimeRef is a call of the function output or port in a template.
type RuntimeRef struct {
	Port       bool   // it is of port
	Task, Name string // as in RuntimeValues
	Literal    bool   // both are literals; otherwise they are unknown before it is expanded
}

// RuntimeRefs returns the calls of the functions output and port in a text. It returns none for a
// text that cannot be parsed.
func RuntimeRefs(text string) []RuntimeRef {
	if !schema.IsTemplate(text) || !strings.Contains(text, "output") && !strings.Contains(text, "port") {
		return nil
	}
	t := newTemplate(text, false)
	t.compile()
	return t.refs.runtime
}

// SetRuntimeValues sets the values for all scopes of the call. The executor of the step
// calls it before it expands texts that refer to them.
func (s *Scope) SetRuntimeValues(l *RuntimeValues) { s.runtime = l }

// Errors of the functions where there is no value.
var (
	errNoOutputs = errors.New("output can only be used in cmds, env, stdin.text, status and preconditions of a task, and must name a task that it needs")
	errNoPorts   = errors.New("port can only be used in cmds, env, ready, alive, listen, stdin.text, status and preconditions of a task, and must name a port of it or of a task that it needs")
)

// output is the function output.
func (x *execution) output(task string, name ...string) (any, error) {
	switch {
	case x.runtime == nil:
		return nil, errNoOutputs
	case len(name) > 0:
		return x.runtime.Output(task, name[0])
	}
	return x.runtime.Output(task, "")
}

// port is the function port.
func (x *execution) port(name string, of ...string) (any, error) {
	switch {
	case x.runtime == nil:
		return nil, errNoPorts
	case len(of) > 0:
		return x.runtime.Port(name, of[0])
	}
	return x.runtime.Port("", name)
}
