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

// Single binds one call without what it needs.
func (x *Expander) Single(ctx context.Context, c Call) (*Step, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	return e.bare(ctx, c)
}
