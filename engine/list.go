package engine

import (
	"cmp"
	"context"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// ListOptions select the result of Tasks.
type ListOptions struct {
	All    bool // also tasks without description
	Status bool // compute UpToDate
}

// TaskInfo describes a task for listings.
type TaskInfo struct {
	Task     *schema.Task
	Name     string // label, or else full name
	Desc     string // templated in fast mode
	Summary  string
	UpToDate *bool // nil if not requested
}

// Tasks returns the listed tasks in the order of definition. It runs nothing, neither dynamic
// variables nor status commands: editors list tasks when a folder is opened. Variables of the
// command line are ignored.
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
		if t.Label.S != "" || schema.IsTemplate(t.Desc.S) || schema.IsTemplate(t.Summary.S) {
			s := resolver.Scope(call, vars.Fast)
			info.Desc, info.Summary = fast(ctx, s, t.Desc), fast(ctx, s, t.Summary)
			info.Name = cmp.Or(fast(ctx, s, t.Label), t.Name)
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

// fast expands a text for display; on an error it is returned unexpanded.
func fast(ctx context.Context, s *vars.Scope, t schema.Text) string {
	text, err := s.Expand(ctx, t)
	if err != nil {
		return t.S
	}
	return text
}

// Summary is the output of --summary for one task, templated in fast mode.
type Summary struct {
	Task     *schema.Task
	Name     string
	Text     string // summary, or else desc
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
	out := &Summary{Task: t, Name: cmp.Or(fast(ctx, s, t.Label), name), Text: cmp.Or(fast(ctx, s, t.Summary), fast(ctx, s, t.Desc)), Vars: s.Definitions(ctx), Aliases: t.Aliases}
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
