package plan

import (
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Preview binds the dependencies and commands of t for showing, in a scope that
// runs nothing.
func (x *Expander) Preview(ctx context.Context, t *schema.Task, scope *vars.Scope) (deps, cmds []Command, err error) {
	e := expansion{x: x}
	b := binder{ctx: ctx, scope: scope}
	s := &Step{Task: t, Scope: scope, bound: &bound{sources: b.globs(t.Sources), generates: b.globs(t.Generates)}}
	if b.err != nil {
		return nil, nil, b.err
	}
	for i := range t.Deps {
		err := e.eachNeed(ctx, s, &t.Deps[i], func(c Call) {
			deps = append(deps, Command{Source: &t.Deps[i], Text: c.Name, Shown: c.Name})
		})
		if err != nil {
			return deps, nil, err
		}
	}
	for i := range t.Cmds {
		if err := e.bindCommand(ctx, s, &t.Cmds[i]); err != nil {
			return deps, s.bound.commands, err
		}
	}
	return deps, s.bound.commands, nil
}

// Files binds what tells which files t is made from and which it makes, and no
// more, in a scope that is the step's from then on. A label that cannot be
// expanded is left out.
func (x *Expander) Files(ctx context.Context, t *schema.Task, scope *vars.Scope) (*Step, error) {
	label, _ := scope.Expand(ctx, t.Label)
	b := binder{ctx: ctx, scope: scope}
	s := &Step{Task: t, Scope: scope, Name: t.Name, Label: orName(label, t.Name)}
	s.bound = &bound{method: b.text(t.Method), sources: b.globs(t.Sources), generates: b.globs(t.Generates)}
	return s, b.err
}

// Single binds one call without what it needs.
func (x *Expander) Single(ctx context.Context, c Call) (*Step, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	return e.bare(ctx, c)
}
