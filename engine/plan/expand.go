package plan

import (
	"cmp"
	"context"
	"errors"
	"runtime"
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
	maxSteps  = 1_000_000
	maxNested = 1_000   // calls from bodies, one inside the other
	maxDepth  = 100_000 // needs of needs; bounds the stack
	stepBytes = 1_000   // that a step takes, about
)

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
	foreseen foreseen
	dynamic  func() bool // whether files define dynamic variables outside of tasks
	outputs  func() bool // whether texts of tasks may name outputs

	mu     sync.Mutex // guards shared
	shared map[Key]*Step
}

// NewExpander returns an Expander for one run.
func NewExpander(o Options) *Expander {
	file := facts{workflow: o.Workflow, task: &schema.Task{TaskOptions: &schema.TaskOptions{}}}
	return &Expander{o: o, shared: map[Key]*Step{}, facts: make([]atomic.Pointer[facts], len(o.Workflow.Tasks)), process: file.ownProcess(),
		dynamic: sync.OnceValue(o.Resolver.DynamicFiles), outputs: sync.OnceValue(func() bool { return someNameOutputs(o.Workflow) })}
}

// Expand returns the plan of the calls and everything they need. The error
// holds every problem that was found, each wrapped in a [TaskError] per level
// of needing, in order of expansion; the plan is nil then. See [Problems].
func (x *Expander) Expand(ctx context.Context, calls ...Call) (*Plan, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	var roots []*Step
	for _, c := range calls {
		if e.exploded {
			break
		}
		e.enterAncestors(c.From)
		s, err := e.expand(ctx, c)
		if err != nil {
			e.problem(err)
			continue
		}
		roots = append(roots, s)
	}
	if e.problems != nil {
		e.problems.Errors = eachCycleOnce(e.problems.Errors)
		return nil, e.problems
	}
	p, err := assemble(roots, e.keyed)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Problems takes the error of [Expander.Expand] apart, in order of expansion.
func Problems(err error) []error {
	if many, ok := err.(*multierror.Error); ok {
		return many.Errors
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Wrap says that err, or each problem in it, made a task fail.
func Wrap(task string, err error) error {
	problems := Problems(err)
	if len(problems) == 1 {
		return &TaskError{Task: task, Err: problems[0]}
	}
	var wrapped *multierror.Error
	for _, p := range problems {
		wrapped = multierror.Append(wrapped, &TaskError{Task: task, Err: p})
	}
	return wrapped
}

// expansion is the state of one Expand; it belongs to one goroutine.
type expansion struct {
	x *Expander
	// path counts the tasks that are being expanded or called above: only when
	// a task is among them are its ancestors compared one by one.
	path     map[*schema.Task]int
	keyed    int  // steps with a key that were expanded
	exploded bool // there are too many steps: that alone is told, once
	problems *multierror.Error
}

func (e *expansion) problem(err error) {
	e.problems = multierror.Append(e.problems, Problems(err)...)
}

func (e *expansion) enterAncestors(s *Step) {
	for ; s != nil; s = s.From {
		e.path[s.Task]++
	}
}

// expand returns the step of c, new or shared, with all its needs.
func (e *expansion) expand(ctx context.Context, c Call) (*Step, error) {
	s, err := e.bare(ctx, c)
	if err != nil || s.Skip != NotSkipped || s.complete {
		return s, err
	}
	if err := e.expandNeeds(ctx, s); err != nil {
		return nil, err
	}
	s.complete = true
	if s.Shared() {
		e.keyed++
		s = e.x.share(s)
	}
	if f := e.x.factsOf(s.Task); f.mode == modeOnce && len(s.Task.Requires) == 0 && !f.fails && s.Name == s.Task.Name {
		f.once.Store(s)
	}
	return s, nil
}

// bare returns the step of c without its needs, unless it is a shared one that
// is complete already.
func (e *expansion) bare(ctx context.Context, c Call) (*Step, error) {
	if err := ctx.Err(); err != nil {
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
	name := t.Name
	if match != nil {
		name = ResolveStars(name, match)
	}
	s := &Step{Task: t, Name: name, Label: name, Prefix: t.Name, Pos: c.Pos, From: c.From, Failfast: t.Failfast, Slots: 1, facts: f, args: c.Vars}
	s.Silent = c.Silent || t.Silent.Or(false) || e.x.o.Silent || e.x.o.Workflow.Silent
	if c.From != nil {
		s.depth, s.nested = c.From.depth+1, c.From.nested
	}
	if !matchesPlatform(t.Platforms) {
		s.Skip = ByPlatform
		return s, nil
	}
	if err := e.closesCycle(s); err != nil {
		return nil, err
	}
	if e.x.steps.Add(1) > maxSteps {
		e.exploded = true
		return nil, &CycleError{Name: name, Pos: cmp.Or(s.Pos, t.Pos), Why: StepLimit}
	}
	if err := limit.GrowTo(stepBytes, limit.Plan); err != nil {
		e.exploded = true
		return nil, &LoopError{Task: name, Pos: cmp.Or(s.Pos, t.Pos), What: err.Error()}
	}
	if f.misplaced != nil {
		return nil, f.misplaced[0]
	}
	s.Scope = e.x.o.Resolver.Scope(vars.Call{Task: t, Name: name, Alias: c.Name, Match: match, Vars: c.Vars}, vars.Full)
	if known, err := e.identify(ctx, s, f, match); known != nil || err != nil {
		return known, err
	}
	if t.Timeout > 0 && e.x.o.Limit != nil {
		limited, done := e.x.o.Limit(ctx, name, t.Timeout)
		defer done()
		ctx = limited
	}
	if err := e.bind(ctx, s, f); err != nil || s.Skip != NotSkipped {
		return s, err
	}
	if err := e.foresee(ctx, s, f); err != nil {
		return s, err
	}
	if f.mode == modeWhenChanged {
		key, err := changeKey(ctx, s, match)
		if err != nil {
			return nil, err
		}
		s.Key = Key{file: s.Task.File, name: key}
		if known := e.x.lookup(s.Key); known != nil {
			return known, nil
		}
	}
	return s, nil
}

// identify finds the shared step of a `run: once` task before anything of it
// is computed. It returns nil for a step that is new or not shared yet.
func (e *expansion) identify(ctx context.Context, s *Step, f *facts, match []string) (*Step, error) {
	if err := e.requires(ctx, s, f); err != nil {
		return nil, err
	}
	mode := f.mode
	if mode == modeTemplate {
		text := s.Task.Run
		if text.S == "" {
			text = e.x.o.Workflow.Run
		}
		m, err := s.Scope.Expand(ctx, text)
		if err != nil {
			return nil, err
		}
		mode = modeOf(m)
	}
	if mode != modeOnce {
		return nil, nil
	}
	local := s.Task.LocalName
	if match != nil {
		local = ResolveStars(local, match)
	}
	s.Key = Key{file: s.Task.File, name: local}
	return e.x.lookup(s.Key), nil
}

// expandNeeds expands the dependencies of s, as written; with several problems
// it goes on to find them all.
func (e *expansion) expandNeeds(ctx context.Context, s *Step) error {
	f := e.x.factsOf(s.Task)
	if len(s.Task.Deps) == 0 && f.streams == nil {
		return e.resolveReads(s, f)
	}
	e.path[s.Task]++
	defer func() { e.path[s.Task]-- }()
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
					err = Wrap(s.Label, err)
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
	if problems != nil {
		return problems
	}
	if err := e.addReads(ctx, s, f); err != nil {
		return err
	}
	return e.resolveReads(s, f)
}

func (x *Expander) lookup(key Key) *Step {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shared[key]
}

// share publishes s, complete with its needs, under its key. If another
// goroutine was faster its step is returned and s is dropped.
func (x *Expander) share(s *Step) *Step {
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.shared[s.Key]; known != nil {
		return known
	}
	x.shared[s.Key] = s
	return s
}

// ResolveStars replaces the stars of a wildcard name by what they matched.
func ResolveStars(name string, match []string) string {
	for _, m := range match {
		name = strings.Replace(name, "*", m, 1)
	}
	return name
}

func matchesPlatform(ps []schema.Platform) bool {
	if len(ps) == 0 {
		return true
	}
	for _, p := range ps {
		if (p.OS == "" || p.OS == runtime.GOOS) && (p.Arch == "" || p.Arch == runtime.GOARCH) {
			return true
		}
	}
	return false
}
