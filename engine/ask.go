package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Tasks returns the tasks a listing shows, in the order of definition; their
// texts are expanded without running dynamic variables, and without those of
// the command line.
func (e *Engine) Tasks(ctx context.Context, o ListOptions) ([]TaskInfo, error) {
	var infos []TaskInfo
	resolver := vars.New(e.varOptions(nil))
	for _, t := range e.o.Workflow.Tasks {
		if t.Internal || t.Desc.S == "" && !o.All {
			continue
		}
		info := TaskInfo{Task: t, Name: t.Name, Desc: t.Desc.S, Summary: t.Summary.S}
		if t.Label.S != "" || isTemplate(t.Desc.S) || isTemplate(t.Summary.S) {
			s := resolver.Scope(vars.Call{Task: t, Name: t.Name, Alias: t.Name}, vars.Fast)
			info.Desc, info.Summary = fast(ctx, s, t.Desc), fast(ctx, s, t.Summary)
			if label := fast(ctx, s, t.Label); label != "" {
				info.Name = label
			}
		}
		if o.Status {
			_, fresh, err := e.fresh(ctx, plan.Call{Name: t.Name}, true)
			if err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			fresh = fresh && err == nil // a task that cannot be bound would not rest
			info.UpToDate = &fresh
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

// fast expands a text for showing; what fails stays as it is written.
func fast(ctx context.Context, s *vars.Scope, t schema.Text) string {
	text, err := s.Expand(ctx, t)
	if err != nil {
		return t.S
	}
	return text
}

// Summary describes one task without running anything.
func (e *Engine) Summary(ctx context.Context, c plan.Call) (*Summary, error) {
	t, match, err := e.o.Workflow.Lookup(c.Name)
	if err != nil {
		return nil, err
	}
	name := plan.ResolveStars(t.Name, match)
	s := e.resolver.Scope(vars.Call{Task: t, Name: name, Alias: c.Name, Match: match}, vars.Fast)
	out := &Summary{Task: t, Name: name, Text: fast(ctx, s, t.Summary), Vars: s.Definitions(ctx), Aliases: t.Aliases}
	if label := fast(ctx, s, t.Label); label != "" {
		out.Name = label
	}
	if out.Text == "" {
		out.Text = fast(ctx, s, t.Desc)
	}
	if out.Env, err = s.DeclaredVars(ctx); err != nil {
		return out, err
	}
	for _, r := range t.Requires {
		out.Requires = append(out.Requires, r.Name)
	}
	x := plan.NewExpander(plan.Options{Workflow: e.o.Workflow, Resolver: e.resolver, Host: host{e}})
	deps, cmds, err := x.Preview(ctx, t, s)
	if err != nil {
		return out, err
	}
	for _, d := range deps {
		out.Deps = append(out.Deps, d.Text)
	}
	for _, c := range cmds {
		out.Commands = append(out.Commands, SummaryCommand{Text: c.Shown, Call: c.Source.Kind == schema.Call})
	}
	return out, nil
}

// NotUpToDateError is the answer of --status for a task that would run.
type NotUpToDateError struct{ Task string }

func (e *NotUpToDateError) Error() string { return fmt.Sprintf("Task %q is not up-to-date", e.Task) }

// UpToDate returns a NotUpToDateError for the first of the calls whose task
// would run. It looks neither at needs nor at preconditions.
func (e *Engine) UpToDate(ctx context.Context, calls []plan.Call) error {
	if err := e.resolve(calls); err != nil {
		return err
	}
	for _, c := range calls {
		label, fresh, err := e.fresh(ctx, c, false)
		if err != nil {
			return err
		}
		if !fresh {
			return &NotUpToDateError{Task: label}
		}
	}
	return nil
}

// fresh computes the freshness of one task on its own. Listings look at files
// only: a status command may do anything.
func (e *Engine) fresh(ctx context.Context, c plan.Call, filesOnly bool) (label string, fresh bool, err error) {
	x := plan.NewExpander(e.expanderOptions())
	s, err := x.Single(ctx, c)
	if err != nil {
		return "", false, err
	}
	look := e.inspector(filesOnly)
	if len(s.Task.Deps) > 0 && len(s.Task.Sources) > 0 {
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

// inspector is an executor that only looks: it writes no state.
func (e *Engine) inspector(filesOnly bool) *executor.Executor {
	o := e.executorOptions(nil)
	o.Dry, o.FilesOnly = true, filesOnly
	o.Expander = plan.NewExpander(e.expanderOptions())
	o.Store = cache.Open(stateDir(&e.o), cache.Options{ReadOnly: true, Warn: e.warn})
	o.Notify = e.emit
	return executor.New(o)
}

// Why explains, for each call and what it needs, needs first, why its task
// would run. It runs nothing but what templates and status checks need.
func (e *Engine) Why(ctx context.Context, calls []plan.Call) ([]Explanation, error) {
	if err := e.resolve(calls); err != nil {
		return nil, err
	}
	p, err := e.Plan(ctx, calls)
	if err != nil {
		return nil, err
	}
	look := e.inspector(false)
	out := make([]Explanation, 0, len(p.Steps))
	for _, s := range p.Steps {
		x := Explanation{Task: s.Label}
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
		for _, r := range reasons {
			x.Reasons = append(x.Reasons, Reason(r))
		}
		out = append(out, x)
	}
	return out, nil
}
