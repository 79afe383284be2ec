package plan

import (
	"cmp"
	"context"
	"fmt"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// show sets how s is shown; "" means that the task has no such key.
func (s *Step) show(label, prefix string) {
	s.Label, s.Prefix = cmp.Or(label, s.Name), cmp.Or(prefix, s.Task.Name)
	if prefix == "" && s.Task.Service() != nil {
		s.Prefix = s.Label
	}
}

// bind computes everything of s that does not depend on the execution of its needs, in the order of
// the format: files and commands first, then the task's `if`.
func (e *expansion) bind(ctx context.Context, s *Step) error {
	if e.x.o.ComputeSecrets {
		s.Scope.ComputeSecrets(ctx)
	}
	if err := e.bindEnvironment(ctx, s); err != nil {
		return err
	}
	if s.facts.static {
		s.show(s.Task.Label.S, s.Task.Prefix.S)
		return nil
	}
	b := &binder{ctx: ctx, scope: s.Scope}
	s.show(b.text(s.Task.Label), b.text(s.Task.Prefix))
	s.bound = &bound{}
	b.files(s.Task, s.bound)
	if b.err != nil {
		return b.err
	}
	if _, err := e.bindFingerprint(ctx, s); err != nil {
		return err
	}
	b.scope = s.Scope
	if !s.UsesRuntimeValues() {
		b.err = e.bindTexts(ctx, s)
	}
	condition := b.text(s.Task.If)
	if b.err != nil {
		return b.err
	}
	return e.checkIf(ctx, s, condition)
}

// bindTexts expands the texts of the step's body.
func (e *expansion) bindTexts(ctx context.Context, s *Step) error {
	b := &binder{ctx: ctx, scope: s.Scope}
	b.body(s.Task, s.bound)
	for _, t := range s.facts.details.deferred {
		s.Scope.AddUses(t)
	}
	for i := range s.Task.Cmds {
		if b.err == nil {
			b.err = e.bindCommand(ctx, s, i)
		}
	}
	return b.err
}

// BindRuntimeValues expands the texts of a step that use outputs of its needs, or ports. The
// executor calls it once, before the step is checked, when the conditions of its needs are met and
// its ports are assigned.
func (x *Expander) BindRuntimeValues(ctx context.Context, s *Step, l *vars.RuntimeValues) error {
	if !s.UsesRuntimeValues() {
		return nil
	}
	e := expansion{x: x}
	if err := e.bindPlain(ctx, s, l); err != nil {
		return err
	}
	s.Scope.SetRuntimeValues(l)
	return e.bindTexts(ctx, s)
}

// bindEnvironment computes directory and environment where that can fail or
// run something, so that it happens before anything starts.
func (e *expansion) bindEnvironment(ctx context.Context, s *Step) error {
	if len(s.Task.Env) == 0 && len(s.Task.Dotenv) == 0 && s.Task.Dir.S == "" {
		return nil
	}
	if _, err := s.Scope.Dir(ctx); err != nil {
		return err
	}
	if s.UsesRuntimeValues() {
		return nil
	}
	_, err := s.Scope.Environ(ctx)
	return err
}

// bindFingerprint defines CHECKSUM or TIMESTAMP where the task mentions it, and
// returns which.
func (e *expansion) bindFingerprint(ctx context.Context, s *Step) (name string, err error) {
	method := s.Method()
	compute := func(dir string) (any, error) { return e.x.o.Host.Checksum(ctx, dir, s.bound.sources, s.Gitignore()) }
	switch {
	case s.facts.checksum && (method == "" || method == "checksum"):
		name = "CHECKSUM"
	case s.facts.timestamp && method == "timestamp":
		name = "TIMESTAMP"
		compute = func(dir string) (any, error) { return e.x.o.Host.Timestamp(ctx, dir, s.bound.sources, s.Gitignore()) }
	default:
		return "", nil
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return "", err
	}
	value, err := compute(dir)
	if err != nil {
		return "", err
	}
	s.Scope = s.Scope.WithVar(vars.Binding{Name: name, Value: value})
	return name, nil
}

// checkIf runs the task's `if`.
func (e *expansion) checkIf(ctx context.Context, s *Step, condition string) error {
	if condition == "" {
		return nil
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return err
	}
	env, err := s.Scope.Environ(ctx)
	if err != nil {
		return err
	}
	holds, err := e.x.o.Host.Condition(ctx, condition, dir, env)
	if !holds {
		s.Skip = ByIf
	}
	return err
}

// eachNeed calls f with every call that one entry of deps expands to.
func (e *expansion) eachNeed(ctx context.Context, s *Step, d *schema.Command, f func(Call)) error {
	if d.For == nil && len(d.Vars) == 0 && !schema.IsTemplate(d.Text.S) {
		f(Call{Name: d.Text.S, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	}
	return e.eachCall(ctx, s, d, func(name string, args schema.Vars) error {
		f(Call{Name: name, Vars: args, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	})
}

// eachCall calls f with the name and the arguments of every call that c expands to.
func (e *expansion) eachCall(ctx context.Context, s *Step, c *schema.Command, f func(name string, args schema.Vars) error) error {
	return e.eachItem(ctx, s, c, func(scope *vars.Scope, _ int) error {
		name, err := scope.Expand(ctx, c.Text)
		if err != nil {
			return err
		}
		args, err := scope.BindCall(ctx, c.Vars)
		if err != nil {
			return err
		}
		return f(name, args)
	})
}

// Preview is the expanded form of a task that is not run.
type Preview struct {
	Deps     []string // names of tasks, with their conditions if given
	Commands []Command
	// Fingerprint is CHECKSUM or TIMESTAMP if the task has that variable.
	Fingerprint string
}

// Preview binds the dependencies and commands of t for showing, in a scope that
// runs nothing. With an error it returns the part bound so far.
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
		if err := e.eachNeed(ctx, s, &t.Deps[i], func(c Call) {
			d := &t.Deps[i]
			switch {
			case d.Optional && !x.o.Workflow.Has(c.Name):
			case d.Until != schema.UntilDefault:
				p.Deps = append(p.Deps, fmt.Sprintf("%s (until %s)", c.Name, d.Until))
			default:
				p.Deps = append(p.Deps, c.Name)
			}
		}); err != nil {
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

// Files binds only the sources and generated files of t, in a scope that then becomes the step's. A
// label that cannot be expanded is omitted.
func (x *Expander) Files(ctx context.Context, t *schema.Task, scope *vars.Scope) (*Step, error) {
	label, _ := scope.Expand(ctx, t.Label)
	b := binder{ctx: ctx, scope: scope}
	s := &Step{Task: t, Scope: scope, facts: x.factsOf(t), Name: t.Name, Label: cmp.Or(label, t.Name), bound: &bound{}}
	b.files(t, s.bound)
	return s, b.err
}

// BindWithoutNeeds binds one call without its needs.
func (x *Expander) BindWithoutNeeds(ctx context.Context, c Call) (*Step, error) {
	e := expansion{x: x, path: map[*schema.Task]int{}}
	return e.withoutNeeds(ctx, c)
}
