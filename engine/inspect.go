package engine

import (
	"context"
	"fmt"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// inspector is an executor for inspection: it writes no state.
type inspector struct {
	*executor.Executor
	expander *plan.Expander
}

func (e *Engine) inspector(r *vars.Resolver) *inspector {
	xo := e.expanderOptions()
	xo.Resolver = r
	x := plan.NewExpander(xo)
	o := e.executorOptions(command.New(e.commandOptions()))
	o.Dry = true
	o.Expander = x
	o.State = e.openState(true)
	o.Checker = e.checkerOf(o.State)
	o.Notify = e.emit
	return &inspector{executor.New(o), x}
}

// files reports whether a task is up to date according to its files. It is not if it has none, or
// if they cannot be named without running something.
func (i *inspector) files(ctx context.Context, t *schema.Task, s *vars.Scope) (bool, error) {
	if len(t.Sources) == 0 {
		return false, nil
	}
	step, err := i.expander.Files(ctx, t, s)
	if err != nil {
		return false, err
	}
	return i.FilesFresh(ctx, step)
}

// NotUpToDateError is the error of --status for a task that would run.
type NotUpToDateError struct{ Task string }

func (e *NotUpToDateError) Error() string { return fmt.Sprintf("Task %q is not up-to-date", e.Task) }

// UpToDate returns a NotUpToDateError for the first of the calls whose task would run. It ignores
// needs and preconditions. Internal tasks are allowed, too.
func (e *Engine) UpToDate(ctx context.Context, calls []plan.Call) error {
	for _, c := range calls {
		c.Internal = true
		label, fresh, err := e.fresh(ctx, c)
		if err != nil {
			return err
		}
		if !fresh {
			return &NotUpToDateError{Task: label}
		}
	}
	return nil
}

// fresh computes the freshness of one task on its own.
func (e *Engine) fresh(ctx context.Context, c plan.Call) (label string, fresh bool, err error) {
	look := e.inspector(e.resolver)
	s, err := look.expander.BindWithoutNeeds(ctx, c)
	if err != nil {
		return "", false, err
	}
	if s.HasNeeds() && len(s.Task.Sources) > 0 {
		// Its needs are part of its fingerprint.
		p, err := e.Plan(ctx, []plan.Call{c})
		if err != nil {
			return s.Label, false, err
		}
		for _, n := range p.Steps[:len(p.Steps)-1] {
			if n.Skip == plan.NotSkipped {
				look.Fresh(ctx, n)
			}
		}
		s = p.Steps[len(p.Steps)-1]
	}
	fresh, err = look.Fresh(ctx, s)
	return s.Label, fresh, err
}

// Explanation is the result of --why for one task.
type Explanation struct {
	Task    string   `json:"task"`
	Fresh   bool     `json:"up_to_date"`
	Reasons []Reason `json:"reasons"`
	// Restored means that it would not run, because the cache has its result. Cache is the reason why
	// the cache has none; nil if it has one, or if the task is not cached.
	Restored bool           `json:"restored"`
	Cache    *executor.Miss `json:"cache,omitempty"`
}

// Reason is one difference between now and the task's last successful run. Its kinds are those of a
// fingerprint, and "skipped": the task's condition or platform excludes it.
type Reason = fingerprint.Reason

// Why explains, for each call and its needs, needs first, why its task would run. It runs only
// commands that templates and status checks need.
func (e *Engine) Why(ctx context.Context, calls []plan.Call) ([]Explanation, error) {
	if err := Resolve(e.o.Workflow, calls); err != nil {
		return nil, err
	}
	p, err := e.Plan(ctx, calls)
	if err != nil {
		return nil, err
	}
	look := e.inspector(e.resolver)
	out := make([]Explanation, 0, len(p.Steps))
	for _, s := range p.Steps {
		x := Explanation{Task: s.Label, Reasons: []Reason{}}
		if s.Skip != plan.NotSkipped {
			x.Reasons = []Reason{{Kind: "skipped"}}
			out = append(out, x)
			continue
		}
		v, err := look.Why(ctx, s)
		if err != nil {
			return out, &plan.TaskError{Task: s.Label, Err: err}
		}
		x.Fresh, x.Restored, x.Cache = v.Fresh, v.Restored, v.Miss
		x.Reasons = append(x.Reasons, v.Reasons...)
		out = append(out, x)
	}
	return out, nil
}

// Push stores the results of the calls and their needs, as they are now, in the shared cache, where
// the local one has them. It returns how many these are, and the tasks without one. It runs only
// commands that templates and status checks need.
func (e *Engine) Push(ctx context.Context, calls []plan.Call) (n int, without []string, err error) {
	if err := Resolve(e.o.Workflow, calls); err != nil {
		return 0, nil, err
	}
	p, err := e.Plan(ctx, calls)
	if err != nil {
		return 0, nil, err
	}
	look := e.inspector(e.resolver)
	for _, s := range p.Steps {
		if s.Skip != plan.NotSkipped || s.Cache() == nil {
			continue
		}
		there, err := look.Push(ctx, s)
		switch {
		case err != nil:
			return n, without, &plan.TaskError{Task: s.Label, Err: err}
		case there:
			n++
		default:
			without = append(without, s.Label)
		}
	}
	return n, without, nil
}
