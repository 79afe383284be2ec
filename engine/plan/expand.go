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
	"github.com/weftrun/weft/schema/diag"
)

// Limits of an expansion. They stop endless expansions; no sensible workflow comes near them.
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
	// Limit returns ctx with the time limit of a task, which also applies to computations for its
	// step; done ends it. nil: there is none.
	Limit func(ctx context.Context, task string, limit time.Duration) (limited context.Context, done func())
	// ComputeSecrets computes the secret variables that a task sees before anything else of it,
	// referred to or not.
	ComputeSecrets bool
	// Planned, unless it is nil, is called with each step once its needs are planned and before
	// the steps that need it are. A shared step may be passed again.
	Planned func(*Step)
	// Body, unless it is nil, is what the only task of Workflow does, in place of its commands and
	// outputs there.
	Body *Body
}

// Expander turns calls into plans for one run. It stores the shared steps, so that a call expanded
// later finds them. It is safe for concurrent use.
type Expander struct {
	o     Options
	steps atomic.Int64

	facts        []atomic.Pointer[facts] // by schema.Task.Index
	process      *Process                // of the commands of tasks without such keys
	captured     captured
	dynamic      func() bool                // whether files define dynamic variables outside of tasks
	runtimeFiles func() map[*diag.File]bool // the files whose texts may name outputs or ports
	// receivers returns the tasks that others send messages to.
	receivers func() map[*schema.Task]bool

	mu       sync.Mutex // guards the fields below
	shared   map[Key]*Step
	foreseen map[foreseenCall]bool // the calls whose tasks have been inspected, with all that they call
}

// NewExpander returns an Expander for one run.
func NewExpander(o Options) *Expander {
	file := facts{workflow: o.Workflow, task: &schema.Task{TaskOptions: &schema.TaskOptions{}}}
	x := &Expander{o: o, shared: map[Key]*Step{}, foreseen: map[foreseenCall]bool{}, facts: make([]atomic.Pointer[facts], len(o.Workflow.Tasks)), process: file.ownProcess(),
		dynamic: sync.OnceValue(o.Resolver.DynamicFiles), runtimeFiles: sync.OnceValue(func() map[*diag.File]bool { return findRuntimeFiles(o.Workflow) }), receivers: sync.OnceValue(func() map[*schema.Task]bool { return receivers(o.Workflow) })}
	if o.Body != nil {
		x.given(o.Body)
	}
	return x
}

// Pools returns the sizes of the pools that steps take from, by name; nil if there are none.
func (x *Expander) Pools() map[string]int {
	var pools map[string]int
	for _, p := range x.o.Workflow.Pools {
		if pools == nil {
			pools = map[string]int{}
		}
		pools[p.Name] = p.Size
	}
	return pools
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
	exploded bool // there are too many steps: only that is reported, once
	problems *multierror.Error
}

// expand returns the step of c, new or shared, with all its needs.
func (e *expansion) expand(ctx context.Context, c Call) (*Step, error) {
	s, err := e.withoutNeeds(ctx, c)
	if err != nil || s.Skip != NotSkipped || s.marks.Load()&complete != 0 {
		return s, err
	}
	if err := e.expandNeeds(ctx, s); err != nil {
		return nil, err
	}
	// A service, or a service group.
	s.Serves = s.Task.Service() != nil || len(s.Task.Cmds) == 0 && slices.ContainsFunc(s.needs, func(n need) bool { return n.step.Serves })
	s.marks.Or(complete)
	e.steps++
	if s.Shared() {
		e.keyed++
		s = e.x.share(s)
	}
	if e.x.o.Planned != nil {
		e.x.o.Planned(s)
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
	if t.Internal && c.From == nil && !c.Internal {
		return nil, &InternalError{Task: c.Name}
	}
	f := e.x.factsOf(t)
	if known := f.once.Load(); known != nil && match == nil {
		return known, nil
	}
	name := ResolveStars(t.Name, match)
	s := &Step{Task: t, Name: name, Label: name, Prefix: t.Name, Pos: c.Pos, From: c.From, Failfast: t.Failfast, Slots: 1, facts: f}
	s.setVars(c.Vars)
	if t.Running != nil {
		s.Slots = max(1, t.Running.Slots)
	}
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

// compute binds s and returns it, or the shared step that is equal to it. local is
// the name of its task in its file.
func (e *expansion) compute(ctx context.Context, s *Step, local string) (*Step, error) {
	if err := e.requires(ctx, s); err != nil {
		return nil, err
	}
	mode, err := e.x.mode(ctx, s)
	if err != nil {
		return nil, err
	}
	if mode == modeOnce {
		s.Key = Key{file: s.Task.Pos.File, name: local}
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

// expandNeeds expands the needs of s: its dependencies, the tasks that it reads, and those that it
// sends messages to.
func (e *expansion) expandNeeds(ctx context.Context, s *Step) error {
	if s.Task.Running != nil {
		if err := e.checkRunning(s); err != nil {
			return err
		}
	}
	if s.HasNeeds() {
		e.path[s.Task]++
		defer func() { e.path[s.Task]-- }()
		if err := e.expandDeps(ctx, s); err != nil {
			return err
		}
		if err := e.addReads(ctx, s); err != nil {
			return err
		}
		if err := e.addReceivers(ctx, s); err != nil {
			return err
		}
	}
	return e.resolveReads(s)
}

// expandDeps expands the dependencies of s, as written; it continues after a problem to find all of
// them.
func (e *expansion) expandDeps(ctx context.Context, s *Step) error {
	var problems *multierror.Error
	s.needs = make([]need, 0, len(s.Task.Deps))
	for i := range s.Task.Deps {
		d := &s.Task.Deps[i]
		err := e.eachNeed(ctx, s, d, func(c Call) {
			if e.exploded || d.Optional && !e.x.o.Workflow.Has(c.Name) {
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
			if step.Serves && d.Until >= schema.UntilSucceeded {
				problems = multierror.Append(problems, schema.EndOfService(s.Name, d, step.Label))
				return
			}
			s.needs = append(s.needs, need{step, termsOf(d, step)})
		})
		if err != nil {
			return err
		}
	}
	return problems.ErrorOrNil()
}

// termsOf returns the terms on which a step needs s, as d, an entry of its deps, gives them;
// nil if d gives none.
func termsOf(d *schema.Command, s *Step) *terms {
	when := [...]When{schema.UntilDefault: Succeeded, schema.UntilStarted: Started, schema.UntilReady: Ready, schema.UntilSucceeded: Succeeded, schema.UntilEnded: Ended}[d.Until]
	if d.Until == schema.UntilDefault && s.Serves {
		when = Ready
	}
	if when == Succeeded && d.Timeout == 0 {
		return nil
	}
	return &terms{when: when, limit: d.Timeout}
}

// ResolveStars replaces the stars of a wildcard name by what they matched.
func ResolveStars(name string, match []string) string {
	for _, m := range match {
		name = strings.Replace(name, "*", m, 1)
	}
	return name
}

//go:noinline
func matchesPlatform(ps []schema.Platform) bool {
	return len(ps) == 0 || slices.ContainsFunc(ps, func(p schema.Platform) bool {
		return (p.OS == "" || p.OS == runtime.GOOS) && (p.Arch == "" || p.Arch == runtime.GOARCH)
	})
}

// Host provides access to the system for expansion. Its methods may be called from several
// goroutines at once.
type Host interface {
	// Condition runs a shell command without input or output and reports
	// whether it exited zero.
	Condition(ctx context.Context, text, dir string, env []string) (bool, error)
	// Files returns the files that globs match, for a loop over them.
	Files(ctx context.Context, dir string, globs []Glob, gitignore bool) ([]string, error)
	// Checksum and Timestamp are the values of the variables of those names.
	Checksum(ctx context.Context, dir string, globs []Glob, gitignore bool) (string, error)
	Timestamp(ctx context.Context, dir string, globs []Glob, gitignore bool) (time.Time, error)
	// Ask prompts the user for a variable; ErrCannotAsk means that there is no user. choices returns
	// its allowed values, nil for any; it is only called if there is a user.
	Ask(ctx context.Context, name string, choices func() ([]string, error)) (string, error)
}

// ErrCannotAsk means that there is no user to prompt for a variable.
var ErrCannotAsk = errors.New("there is no one to ask")
