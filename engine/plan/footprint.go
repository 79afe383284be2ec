package plan

import (
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Footprint is the set of inputs of one call of a task and of other tasks that it uses, as far as
// they are known before it runs. Conditions are ignored: it may use fewer.
type Footprint struct {
	Step *Step // of which only the sources, generates and scope are bound
	// Calls are the tasks that it needs, reads, sends messages to, or calls in its commands.
	Calls []Call
	// Unset are the required variables that have no value.
	Unset []string
	// Commands means that it has commands of its own.
	Commands bool
	// Incomplete is the reason why some of Calls may be missing, such as a name that is known only
	// later; nil: none are.
	Incomplete error
}

// Footprint returns the footprint of a call. Tasks that are internal may be called, too.
func (x *Expander) Footprint(ctx context.Context, c Call) (*Footprint, error) {
	t, match, err := x.o.Workflow.Lookup(c.Name)
	if err != nil {
		return nil, err
	}
	name := ResolveStars(t.Name, match)
	scope := x.o.Resolver.Scope(vars.Call{Task: t, Name: name, Alias: c.Name, Match: match, Vars: c.Vars}, vars.Full)
	s, err := x.Files(ctx, t, scope)
	if err != nil {
		return nil, err
	}
	s.Name, s.Pos = name, c.Pos
	s.setVars(c.Vars)
	f := &Footprint{Step: s}
	for _, r := range t.Requires {
		if !scope.Defined(r.Name) {
			f.Unset = append(f.Unset, r.Name)
		}
	}
	e := expansion{x: x}
	each := func(c *schema.Command) {
		err := e.eachNeed(ctx, s, c, func(call Call) {
			switch {
			case x.o.Workflow.Has(call.Name):
				f.Calls = append(f.Calls, call)
			case f.Incomplete == nil && !c.Optional:
				f.Incomplete = &schema.NotFoundError{Name: call.Name}
			}
		})
		if f.Incomplete == nil {
			f.Incomplete = err
		}
	}
	for i := range t.Deps {
		each(&t.Deps[i])
	}
	refer := func(task schema.Text, args schema.Vars) {
		each(&schema.Command{Kind: schema.Call, Text: task, Vars: args, CommandOptions: &noOptions})
	}
	for _, in := range s.facts.details.streams {
		refer(in.Text, in.Vars)
	}
	for _, to := range s.facts.details.receivers {
		refer(to.To.Text, to.To.Vars)
	}
	schema.EachCommand(t.Cmds, func(c *schema.Command) {
		switch c.Kind {
		case schema.Call:
			each(c)
		case schema.Shell, schema.Exec:
			f.Commands = true
		}
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return f, nil
}

// References returns the references of all texts of t that affect its execution, including those
// for its needs.
func (x *Expander) References(t *schema.Task) (refs vars.Refs) {
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		if phaseOf(&p) != unused && p.Expands(text) {
			x.o.Resolver.AddRefs(&refs, template(&p, text.S))
		}
	})
	return refs
}

// SharedReferences returns the references of the texts of a workflow for all tasks: global env and
// the dotenv files.
func (x *Expander) SharedReferences() (refs vars.Refs) {
	schema.EachSharedText(x.o.Workflow, func(p schema.Place, text schema.Text) {
		if (p.Key == schema.KeyEnv || p.Key == schema.KeyDotenv) && p.Expands(text) {
			x.o.Resolver.AddRefs(&refs, template(&p, text.S))
		}
	})
	return refs
}
