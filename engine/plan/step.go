package plan

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Step is one task with everything bound that is needed to start it. It is
// immutable once its Plan is returned, except for its Scope and Kept, which belong to the executor
// of the step.
type Step struct {
	Task  *schema.Task
	Scope *vars.Scope

	Name   string   // full name, stars of a wildcard replaced by what they matched
	Label  string   // how it is shown: the label, else Name
	Prefix string   // for prefixed output: the prefix, else the task's name, stars and all; of a service the label
	Key    Key      // identity of a shared step; zero for `run: always`
	Pos    diag.Pos // of the call
	From   *Step    // the step that needs or calls it first; nil for the command line
	Skip   Skip     // why it will not run, if so
	Silent bool     // of the call, the task or the run

	Failfast bool // when one of its needs fails, those that only it needs are cancelled
	// Serves means that it is a service or a service group: it is ready when its needs are, and lasts
	// as long as it is needed.
	Serves bool
	marks  atomic.Uint32 // its state, as below
	depth  int32         // needs and calls above it
	Slots  int32         // number taken while it runs; more than exist: all

	// ExecutorData belongs to the executor of the step.
	ExecutorData atomic.Value

	facts *facts
	args  *schema.Vars // of the call; nil for none
	needs []need
	bound *bound // nil if the task is the same at every call
}

const (
	complete uint32 = 1 << iota // it has its needs; only such steps are shared
	adopted                     // a run executes it
)

// Skip is the reason why a step ends at once, successfully.
type Skip uint8

const (
	NotSkipped Skip = iota
	ByPlatform
	ByIf
)

// bound are the expanded texts of a task.
type bound struct {
	commands           []Command
	sources, generates []Glob
	depfile            *Glob // nil: there is none
	status             []string
	preconditions      []Precondition
	prompts            []string
	outputs            []Output
	method             string
	running            *running // nil: nothing
}

// running holds the fields that few tasks set.
type running struct {
	reads   map[string]*Step // the needs whose outputs texts name, as they name them
	portsOf map[string]*Step // the needs whose ports texts name
	plain   *Step            // see Step.ForFingerprint; nil: the step itself
	service *Service
	ports   []Port
	after   []string // names of tasks

	cacheKey []CacheText // of the task alone
}

var notRunning running

// more returns the fields that few tasks set. The caller must not change them.
func (b *bound) more() *running { return cmp.Or(b.running, &notRunning) }

// Output is one of the values that a step gives to its dependents.
type Output struct {
	Name string
	// From is "stdout", "stderr", "message", "file:PATH", or "" for a line of the file
	// that WEFT_OUTPUT names.
	From string
	As   string // "text", "json" or "lines"
	Path string // into a JSON value: ".a.b"; "" is the whole
}

// Precondition is a bound schema.Precondition.
type Precondition struct{ Cmd, Msg string }

// HasGivenVars reports whether the caller or dependent of the step passes variables to it.
func (s *Step) HasGivenVars() bool { return s.args != nil }

// RerunCall returns the call that runs the task of s again, with the variables passed to s.
func (s *Step) RerunCall() Call { return Call{Name: s.Name, Vars: s.vars(), Internal: s.Task.Internal} }

// TaskPos returns where the task is written; Pos is where it is called.
func (s *Step) TaskPos() diag.Pos { return s.Task.Pos }

// Arguments returns a text that distinguishes the step's arguments from those of other calls of its
// task; "" for a call without any.
func (s *Step) Arguments() string {
	if s.args == nil {
		return ""
	}
	return fmt.Sprint(values(*s.args))
}

// setVars sets the variables of the call, of a new step.
func (s *Step) setVars(vs schema.Vars) {
	if len(vs) > 0 {
		own := vs // on the heap only if there are some
		s.args = &own
	}
}

// vars are the variables of the call.
func (s *Step) vars() schema.Vars {
	if s.args == nil {
		return nil
	}
	return *s.args
}

// UsesRuntimeValues reports whether texts of s name values that are known only when it runs:
// outputs of its needs, and ports.
func (s *Step) UsesRuntimeValues() bool { return len(s.facts.details.runtimeNames) > 0 }

// Needs calls f with every step that s needs, as written.
func (s *Step) Needs(f func(*Step)) {
	for _, n := range s.needs {
		f(n.step)
	}
}

// Adopt marks the step as known to the run that executes it: from then on further plans contain it
// without its needs.
func (s *Step) Adopt() { s.marks.Or(adopted) }

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

// texts returns the bound texts of s: those of a static task as they are written. It is called in
// many places.
//
//go:noinline
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

// Preconditions returns the conditions that must hold before the commands.
func (s *Step) Preconditions() []Precondition { return s.texts().preconditions }

// Outputs returns the values that the step gives to its dependents.
func (s *Step) Outputs() []Output { return s.texts().outputs }

// Sources returns the patterns of the files the step reads.
func (s *Step) Sources() []Glob { return s.texts().sources }

// Generates returns the patterns of the files the step writes.
func (s *Step) Generates() []Glob { return s.texts().generates }

// Depfile returns the pattern of the files in which the step's commands list the files that they
// have read; nil if there are none.
func (s *Step) Depfile() *Glob {
	if d := s.texts().depfile; d != nil && d.Pattern != "" {
		return d
	}
	return nil
}

// Writes returns the patterns of all files the step writes: Generates, and the Depfile.
func (s *Step) Writes() []Glob {
	d := s.Depfile()
	if d == nil {
		return s.Generates()
	}
	return append(slices.Clip(s.Generates()), *d)
}

// Status returns the commands that check whether the step is up to date.
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

// Gitignore reports whether files that git ignores are not sources.
func (s *Step) Gitignore() bool {
	return s.Task.UseGitignore.Or(s.facts.workflow.UseGitignore.Or(false))
}

// Rule returns the rule that applies beside the method: [FingerprintV3], or another one for
// everything that the result depends on.
func (s *Step) Rule() string {
	return cmp.Or(s.Task.Fingerprint, s.facts.workflow.Fingerprint)
}
