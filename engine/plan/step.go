package plan

import (
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Step is one task with everything bound that is needed to start it. It is
// immutable once its Plan is returned, except for its Scope, which belongs to
// whoever executes the step.
type Step struct {
	Task  *schema.Task
	Scope *vars.Scope

	Name   string   // full name, stars of a wildcard replaced by what they matched
	Label  string   // how it is shown: the label, else Name
	Prefix string   // for prefixed output: the prefix, else the task's name, stars and all
	Key    Key      // identity of a shared step; zero for `run: always`
	Pos    diag.Pos // of the call
	From   *Step    // the step that needs or calls it first; nil for the command line
	Skip   Skip     // why it will not run, if so
	Silent bool     // of the call, the task or the run

	Failfast bool // when one of its needs fails, those that only it needs are cancelled
	// complete steps have their needs; only such are shared.
	complete bool
	known    atomic.Bool
	depth    int32 // needs and calls above it
	Slots    int32 // how many it takes while it runs; more than there are: all

	facts *facts
	args  schema.Vars
	needs []need
	bound *bound // nil when the task says the same at every call
}

// Skip tells why a step ends at once, successfully.
type Skip uint8

const (
	NotSkipped Skip = iota
	ByPlatform
	ByIf
)

// bound is what binding a task that has templates or loops results in.
type bound struct {
	commands           []Command
	sources, generates []Glob
	status             []string
	preconditions      []Precondition
	prompts            []string
	outputs            []Output
	method             string
	reads              map[string]*Step // the needs whose outputs texts name
}

// Precondition is a bound schema.Precondition.
type Precondition struct{ Cmd, Msg string }

// TaskPos returns where the task is written; Pos is where it is called.
func (s *Step) TaskPos() diag.Pos { return s.Task.Pos }

// Arguments is a text that tells the step's arguments from those of other
// calls of its task; "" for a call without any.
func (s *Step) Arguments() string {
	if len(s.args) == 0 {
		return ""
	}
	return fmt.Sprint(values(s.args))
}

// NamesOutputs reports whether texts of s name what its needs put out.
func (s *Step) NamesOutputs() bool { return len(s.facts.details.outputs) > 0 }

// Needs calls f with every step that s needs, as written.
func (s *Step) Needs(f func(*Step)) {
	for _, n := range s.needs {
		f(n.step)
	}
}

// Adopt marks the step as known to the run that executes it: from then on it
// stands in further plans without its needs.
func (s *Step) Adopt() { s.known.Store(true) }

// Commands yields the step's commands in order, loops unrolled.
func (s *Step) Commands() iter.Seq2[int, *Command] {
	return func(yield func(int, *Command) bool) {
		commands := s.commands()
		for i := range commands {
			if !yield(i, &commands[i]) {
				return
			}
		}
	}
}

func (s *Step) commands() []Command {
	if s.bound != nil {
		return s.bound.commands
	}
	return s.facts.asWritten()
}

// Prompts returns the questions to be answered with yes before the commands.
func (s *Step) Prompts() []string {
	if s.bound != nil {
		return s.bound.prompts
	}
	return new(binder).texts(s.Task.Prompt)
}

// Preconditions returns what must hold before the commands.
func (s *Step) Preconditions() []Precondition {
	if s.bound != nil {
		return s.bound.preconditions
	}
	return new(binder).preconditions(s.Task.Preconditions)
}
