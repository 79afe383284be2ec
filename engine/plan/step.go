package plan

import (
	"cmp"
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

// bound is what the texts of a task come to.
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

// Output is one of the values that a step gives to those that need it.
type Output struct {
	Name string
	// From is "stdout", "stderr", "file:PATH", or "" for a line of the file that
	// WEFT_OUTPUT names.
	From string
	As   string // "text", "json" or "lines"
	Path string // into a JSON value: ".a.b"; "" is the whole
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

// texts returns what the texts of s come to: those of a static task as they are written.
func (s *Step) texts() *bound {
	if s.bound != nil {
		return s.bound
	}
	return s.facts.asWritten().written
}

func (s *Step) commands() []Command {
	if s.bound != nil {
		return s.bound.commands
	}
	return s.facts.asWritten().commands
}

// Prompts returns the questions to be answered with yes before the commands.
func (s *Step) Prompts() []string { return s.texts().prompts }

// Preconditions returns what must hold before the commands.
func (s *Step) Preconditions() []Precondition { return s.texts().preconditions }

// Outputs returns the values that the step gives to those that need it.
func (s *Step) Outputs() []Output { return s.texts().outputs }

// Sources returns the patterns of the files the step reads.
func (s *Step) Sources() []Glob { return s.texts().sources }

// Generates returns the patterns of the files the step writes.
func (s *Step) Generates() []Glob { return s.texts().generates }

// Status returns the commands that tell whether the step is up to date.
func (s *Step) Status() []string { return s.texts().status }

// Glob is a bound schema.Glob: the template is gone, the pattern remains.
type Glob struct {
	Pattern string
	Exclude bool
	Pos     diag.Pos
}

// Method returns the up-to-date method; "" means checksum.
func (s *Step) Method() string {
	return cmp.Or(s.texts().method, s.facts.workflow.Method.S)
}

// Gitignore reports whether files that git ignores are no sources.
func (s *Step) Gitignore() bool {
	return s.Task.UseGitignore.Or(s.facts.workflow.UseGitignore.Or(false))
}

// Rule returns the rule of what is looked at beside the method: [FingerprintV3], or
// another one for everything that the result depends on.
func (s *Step) Rule() string {
	return cmp.Or(s.Task.Fingerprint, s.facts.workflow.Fingerprint)
}
