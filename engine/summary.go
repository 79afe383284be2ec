package engine

import (
	"context"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Summary is what --summary shows of one task, templated in fast mode.
type Summary struct {
	Task     *schema.Task
	Name     string
	Text     string // summary, else desc, else ""
	Vars     schema.Vars
	Env      schema.Vars
	Requires []string
	Deps     []string
	Aliases  []string
	Commands []SummaryCommand
}

// SummaryCommand is one line of a summary's commands.
type SummaryCommand struct {
	Text string
	Call bool // Text is the name of a task
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
	out.Deps = p.Deps
	for _, c := range p.Commands {
		out.Commands = append(out.Commands, SummaryCommand{Text: c.Shown, Call: c.Kind == plan.TaskCall})
	}
	return out, nil
}
