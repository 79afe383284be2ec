package plan

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
)

// Limits of an expansion. They stop what would never end; no sensible workflow
// comes near them.
const (
	maxSteps   = 1_000_000
	maxRepeats = 1_000   // of a task among those that call it
	maxDepth   = 100_000 // calls, one inside the other; bounds the stack
	stepBytes  = 1_000   // that a step takes, about
)

// Options configure an Expander. Workflow, Resolver and Host are required.
type Options struct {
	Workflow *schema.Workflow
	Resolver *vars.Resolver
	Host     Host
	Silent   bool // nothing is announced
	// Limit returns ctx with the time limit of a task, which what is computed for its
	// step has, too; done ends it. nil: there is none.
	Limit func(ctx context.Context, task string, limit time.Duration) (limited context.Context, done func())
	// TellSecrets computes the secret variables that a task sees before anything else of it,
	// referred to or not.
	TellSecrets bool
}

// Expander turns calls into plans for one run. It remembers the steps that are
// shared, so that a call expanded later finds them. It is safe for concurrent
// use.
type Expander struct {
	o     Options
	steps atomic.Int64

	facts    []atomic.Pointer[facts] // by schema.Task.Index
	process  *Process                // of the commands of tasks that say nothing of it
	captured captured
	dynamic  func() bool // whether files define dynamic variables outside of tasks
	outputs  func() bool // whether texts of tasks may name outputs

	mu       sync.Mutex // guards the fields below
	shared   map[Key]*Step
	foreseen map[foreseenCall]bool // the calls whose tasks have been looked at, with all that they call
}

// NewExpander returns an Expander for one run.
func NewExpander(o Options) *Expander {
	file := facts{workflow: o.Workflow, task: &schema.Task{TaskOptions: &schema.TaskOptions{}}}
	return &Expander{o: o, shared: map[Key]*Step{}, foreseen: map[foreseenCall]bool{}, facts: make([]atomic.Pointer[facts], len(o.Workflow.Tasks)), process: file.ownProcess(),
		dynamic: sync.OnceValue(o.Resolver.DynamicFiles), outputs: sync.OnceValue(func() bool { return someNameOutputs(o.Workflow) })}
}

// Expand returns the plan of the calls, all from one step or none, and everything
// they need. The error
// holds every problem that was found, each wrapped in a [TaskError] per level
// of needing, in order of expansion; the plan is nil then. See [Problems].
func (x *Expander) Expand(ctx context.Context, calls ...Call) (*Plan, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	if len(calls) > 0 {
		for s := calls[0].From; s != nil; s = s.From {
			e.path[s.Task]++
		}
	}
	var roots []*Step
	for _, c := range calls {
		if e.exploded {
			break
		}
		s, err := e.expand(ctx, c)
		if err != nil {
			e.problems = multierror.Append(e.problems, Problems(err)...)
			continue
		}
		roots = append(roots, s)
	}
	if e.problems != nil {
		e.problems.Errors = eachCycleOnce(e.problems.Errors)
		return nil, e.problems
	}
	return assemble(roots, e.steps, e.keyed)
}

// expansion is the state of one Expand; it belongs to one goroutine.
type expansion struct {
	x *Expander
	// path counts the tasks that are being expanded or called above: only when
	// a task is among them are its ancestors compared one by one.
	path     map[*schema.Task]int
	steps    int  // that were expanded
	keyed    int  // those of them with a key
	exploded bool // there are too many steps: that alone is told, once
	problems *multierror.Error
}

// expand returns the step of c, new or shared, with all its needs.
func (e *expansion) expand(ctx context.Context, c Call) (*Step, error) {
	s, err := e.withoutNeeds(ctx, c)
	if err != nil || s.Skip != NotSkipped || s.complete {
		return s, err
	}
	if err := e.expandNeeds(ctx, s); err != nil {
		return nil, err
	}
	s.complete = true
	e.steps++
	if s.Shared() {
		e.keyed++
		s = e.x.share(s)
	}
	return s, nil
}

// withoutNeeds returns the step of c without its needs, unless it is a shared one that
// is complete already.
func (e *expansion) withoutNeeds(ctx context.Context, c Call) (*Step, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	t, match, err := e.x.o.Workflow.Lookup(c.Name)
	if err != nil {
		return nil, err
	}
	if t.Internal && c.CommandLine() && !c.Internal {
		return nil, &InternalError{Task: c.Name}
	}
	f := e.x.factsOf(t)
	if known := f.once.Load(); known != nil && match == nil {
		return known, nil
	}
	name := ResolveStars(t.Name, match)
	s := &Step{Task: t, Name: name, Label: name, Prefix: t.Name, Pos: c.Pos, From: c.From, Failfast: t.Failfast, Slots: 1, facts: f, args: c.Vars}
	s.Silent = c.Silent || t.Silent.Or(false) || e.x.o.Silent || e.x.o.Workflow.Silent
	if c.From != nil {
		s.depth = c.From.depth + 1
	}
	if !matchesPlatform(t.Platforms) {
		s.Skip = ByPlatform
		return s, nil
	}
	if err := e.admit(s); err != nil {
		return nil, err
	}
	if f.details.misplaced != nil {
		return nil, f.details.misplaced
	}
	s.Scope = e.x.o.Resolver.Scope(vars.Call{Task: t, Name: name, Alias: c.Name, Match: match, Vars: c.Vars}, vars.Full)
	return e.compute(ctx, s, ResolveStars(t.LocalName, match))
}

// admit reports a call that closes a cycle, and a plan that grows beyond all limits.
func (e *expansion) admit(s *Step) error {
	if err := e.closesCycle(s); err != nil {
		return err
	}
	if e.x.steps.Add(1) > maxSteps {
		e.exploded = true
		return &CycleError{Name: s.Name, Pos: cmp.Or(s.Pos, s.Task.Pos), Why: StepLimit}
	}
	if err := limit.GrowTo(stepBytes, limit.Plan); err != nil {
		e.exploded = true
		return &LoopError{Task: s.Name, Pos: cmp.Or(s.Pos, s.Task.Pos), What: err.Error()}
	}
	return nil
}

// compute binds s and returns it, or the shared step that it turns out to be. local is
// the name of its task in its file.
func (e *expansion) compute(ctx context.Context, s *Step, local string) (*Step, error) {
	if err := e.requires(ctx, s); err != nil {
		return nil, err
	}
	mode, err := s.mode(ctx)
	if err != nil {
		return nil, err
	}
	if mode == modeOnce {
		s.Key = Key{file: s.Task.File, name: local}
		if known := e.x.lookup(s.Key); known != nil {
			return known, nil
		}
	}
	if t := s.Task.Timeout; t > 0 && e.x.o.Limit != nil {
		limited, done := e.x.o.Limit(ctx, s.Name, t)
		defer done()
		ctx = limited
	}
	if err := e.bind(ctx, s); err != nil || s.Skip != NotSkipped {
		return s, err
	}
	if err := e.foresee(ctx, s); err != nil {
		return s, err
	}
	if mode == modeWhenChanged {
		if s.Key, err = changeKey(ctx, s, local); err != nil {
			return nil, err
		}
		if known := e.x.lookup(s.Key); known != nil {
			return known, nil
		}
	}
	return s, nil
}

// expandNeeds expands what s needs: its dependencies, and what it reads.
func (e *expansion) expandNeeds(ctx context.Context, s *Step) error {
	if s.HasNeeds() {
		e.path[s.Task]++
		defer func() { e.path[s.Task]-- }()
		if err := e.expandDeps(ctx, s); err != nil {
			return err
		}
		if err := e.addReads(ctx, s); err != nil {
			return err
		}
	}
	return e.resolveReads(s)
}

// expandDeps expands the dependencies of s, as written; with several problems it goes on
// to find them all.
func (e *expansion) expandDeps(ctx context.Context, s *Step) error {
	var problems *multierror.Error
	s.needs = make([]need, 0, len(s.Task.Deps))
	for i := range s.Task.Deps {
		d := &s.Task.Deps[i]
		var asked *terms
		if d.Timeout > 0 {
			asked = &terms{limit: d.Timeout}
		}
		err := e.eachNeed(ctx, s, d, func(c Call) {
			if e.exploded {
				return
			}
			step, err := e.expand(ctx, c)
			if err != nil {
				if !e.exploded {
					err = Wrap(s.Label, 0, err)
				}
				problems = multierror.Append(problems, Problems(err)...)
				return
			}
			s.needs = append(s.needs, need{step, asked})
		})
		if err != nil {
			return err
		}
	}
	return problems.ErrorOrNil()
}

// ResolveStars replaces the stars of a wildcard name by what they matched.
func ResolveStars(name string, match []string) string {
	for _, m := range match {
		name = strings.Replace(name, "*", m, 1)
	}
	return name
}

func matchesPlatform(ps []schema.Platform) bool {
	return len(ps) == 0 || slices.ContainsFunc(ps, func(p schema.Platform) bool {
		return (p.OS == "" || p.OS == runtime.GOOS) && (p.Arch == "" || p.Arch == runtime.GOARCH)
	})
}

// Host answers what expansion must ask of the world. Its methods may be called
// from several goroutines at once.
type Host interface {
	// Condition runs a shell command without input or output and reports
	// whether it exited zero.
	Condition(ctx context.Context, text, dir string, env []string) (bool, error)
	// Files returns the files that globs match, as a loop over them sees them.
	Files(ctx context.Context, dir string, globs []Glob, gitignore bool) ([]string, error)
	// Checksum and Timestamp are the values of the variables of those names.
	Checksum(ctx context.Context, dir string, globs []Glob, gitignore bool) (string, error)
	Timestamp(ctx context.Context, dir string, globs []Glob, gitignore bool) (time.Time, error)
	// Ask asks the user for a variable; ErrCannotAsk means that nobody can answer.
	// choices returns the values it may have, nil for any; it is only called if
	// somebody can.
	Ask(ctx context.Context, name string, choices func() ([]string, error)) (string, error)
}

// ErrCannotAsk tells that there is nobody to ask for a variable.
var ErrCannotAsk = errors.New("nobody to ask")
