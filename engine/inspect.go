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

// inspector is an executor that only looks: it writes no state.
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

// files reports whether a task is up to date as far as its files tell. One that
// they tell nothing of is not, nor one whose files cannot be named without
// running something.
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

// NotUpToDateError is the answer of --status for a task that would run.
type NotUpToDateError struct{ Task string }

func (e *NotUpToDateError) Error() string { return fmt.Sprintf("Task %q is not up-to-date", e.Task) }

// UpToDate returns a NotUpToDateError for the first of the calls whose task
// would run. It looks neither at needs nor at preconditions. Internal tasks may be
// asked about, too.
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
	s, err := look.expander.Single(ctx, c)
	if err != nil {
		return "", false, err
	}
	if s.HasNeeds() && len(s.Task.Sources) > 0 {
		// What it needs is part of what it was made from.
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

// Explanation is what --why says of one task.
type Explanation struct {
	Task    string   `json:"task"`
	Fresh   bool     `json:"up_to_date"`
	Reasons []Reason `json:"reasons"`
}

// Reason is one difference between now and the task's last successful run. Its kinds are
// those of a fingerprint, and "skipped": the task's condition or platform does not hold.
type Reason = fingerprint.Reason

// Why explains, for each call and what it needs, needs first, why its task
// would run. It runs nothing but what templates and status checks need.
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
		fresh, reasons, err := look.Why(ctx, s)
		if err != nil {
			return out, &plan.TaskError{Task: s.Label, Err: err}
		}
		x.Fresh = fresh
		x.Reasons = append(x.Reasons, reasons...)
		out = append(out, x)
	}
	return out, nil
}
