package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Tasks returns the tasks a listing shows, in the order of definition. It runs
// nothing, neither dynamic variables nor status commands: editors list tasks
// when a folder is opened. Variables of the command line do not count.
func (e *Engine) Tasks(ctx context.Context, o ListOptions) ([]TaskInfo, error) {
	still := e.varOptions(nil)
	still.Shell = nil
	resolver := vars.New(still)
	if err := resolver.LoadDotenv(ctx); err != nil {
		return nil, err
	}
	var look *inspector
	if o.Status {
		look = e.inspector(resolver)
	}
	var infos []TaskInfo
	for _, t := range e.o.Workflow.Tasks {
		if t.Internal || t.Desc.S == "" && !o.All {
			continue
		}
		info := TaskInfo{Task: t, Name: t.Name, Desc: t.Desc.S, Summary: t.Summary.S}
		call := vars.Call{Task: t, Name: t.Name, Alias: t.Name}
		if t.Label.S != "" || isTemplate(t.Desc.S) || isTemplate(t.Summary.S) {
			s := resolver.Scope(call, vars.Fast)
			info.Desc, info.Summary = fast(ctx, s, t.Desc), fast(ctx, s, t.Summary)
			if label := fast(ctx, s, t.Label); label != "" {
				info.Name = label
			}
		}
		if look != nil {
			fresh, err := look.files(ctx, t, resolver.Scope(call, vars.Full))
			if err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
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
	p, err := x.Preview(ctx, t, s)
	if err != nil {
		return out, err
	}
	if p.Fingerprint != "" {
		out.Vars = append(out.Vars, schema.Var{Name: p.Fingerprint, Value: ""})
	}
	for _, d := range p.Deps {
		out.Deps = append(out.Deps, d.Text)
	}
	for _, c := range p.Commands {
		out.Commands = append(out.Commands, SummaryCommand{Text: c.Shown, Call: c.Source.Kind == schema.Call})
	}
	return out, nil
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
type inspector struct {
	*executor.Executor
	expander *plan.Expander
}

func (e *Engine) inspector(r *vars.Resolver) *inspector {
	xo := e.expanderOptions()
	xo.Resolver = r
	x := plan.NewExpander(xo)
	o := e.executorOptions()
	o.Dry = true
	o.Expander = x
	o.Store = e.openStore(true)
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
	look := e.inspector(e.resolver)
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
