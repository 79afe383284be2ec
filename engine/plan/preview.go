package plan

import (
	"cmp"
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// Preview is what a task comes to without running anything.
type Preview struct {
	Deps     []string // names of tasks
	Commands []Command
	// Fingerprint is CHECKSUM or TIMESTAMP if the task has that variable.
	Fingerprint string
}

// Preview binds the dependencies and commands of t for showing, in a scope that
// runs nothing. With an error it returns what it has come to.
func (x *Expander) Preview(ctx context.Context, t *schema.Task, scope *vars.Scope) (p Preview, err error) {
	e := expansion{x: x}
	b := binder{ctx: ctx, scope: scope}
	s := &Step{Task: t, Scope: scope, facts: x.factsOf(t), bound: &bound{}}
	b.files(t, s.bound)
	if b.err != nil {
		return p, b.err
	}
	if p.Fingerprint, err = e.bindFingerprint(ctx, s); err != nil {
		return p, err
	}
	for i := range t.Deps {
		if err := e.eachNeed(ctx, s, &t.Deps[i], func(c Call) { p.Deps = append(p.Deps, c.Name) }); err != nil {
			return p, err
		}
	}
	for i := range t.Cmds {
		if err == nil {
			err = e.bindCommand(ctx, s, i)
		}
	}
	p.Commands = s.bound.commands
	return p, err
}

// Files binds what tells which files t is made from and which it makes, and no
// more, in a scope that is the step's from then on. A label that cannot be
// expanded is left out.
func (x *Expander) Files(ctx context.Context, t *schema.Task, scope *vars.Scope) (*Step, error) {
	label, _ := scope.Expand(ctx, t.Label)
	b := binder{ctx: ctx, scope: scope}
	s := &Step{Task: t, Scope: scope, facts: x.factsOf(t), Name: t.Name, Label: cmp.Or(label, t.Name), bound: &bound{}}
	b.files(t, s.bound)
	return s, b.err
}

// Single binds one call without what it needs.
func (x *Expander) Single(ctx context.Context, c Call) (*Step, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	return e.withoutNeeds(ctx, c)
}
