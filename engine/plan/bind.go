package plan

import (
	"cmp"
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// bind computes everything of s that does not need its needs to have run, in
// the order the format says: files and commands first, then the task's `if`.
func (e *expansion) bind(ctx context.Context, s *Step) error {
	if e.x.o.TellSecrets {
		s.Scope.TellSecrets(ctx)
	}
	if err := e.bindEnvironment(ctx, s); err != nil {
		return err
	}
	if s.facts.static {
		s.Label, s.Prefix = cmp.Or(s.Task.Label.S, s.Name), cmp.Or(s.Task.Prefix.S, s.Task.Name)
		return nil
	}
	b := &binder{ctx: ctx, scope: s.Scope}
	s.Label = cmp.Or(b.text(s.Task.Label), s.Name)
	s.Prefix = cmp.Or(b.text(s.Task.Prefix), s.Task.Name)
	s.bound = &bound{}
	b.files(s.Task, s.bound)
	if b.err != nil {
		return b.err
	}
	if _, err := e.bindFingerprint(ctx, s); err != nil {
		return err
	}
	b.scope = s.Scope
	if !s.NamesOutputs() {
		b.err = e.bindTexts(ctx, s)
	}
	condition := b.text(s.Task.If)
	if b.err != nil {
		return b.err
	}
	return e.checkIf(ctx, s, condition)
}

// bindTexts computes what the step runs.
func (e *expansion) bindTexts(ctx context.Context, s *Step) error {
	b := &binder{ctx: ctx, scope: s.Scope}
	b.body(s.Task, s.bound)
	for _, t := range s.facts.details.deferred {
		s.Scope.Mention(t)
	}
	for i := range s.Task.Cmds {
		if b.err == nil {
			b.err = e.bindCommand(ctx, s, i)
		}
	}
	return b.err
}

// BindOutputs computes what a step runs whose texts name what its needs put out. It
// is called once, before the step is looked at, by who executes it.
func (x *Expander) BindOutputs(ctx context.Context, s *Step, o vars.Outputs) error {
	if !s.NamesOutputs() {
		return nil
	}
	s.Scope.SetOutputs(o)
	e := expansion{x: x}
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
	if s.NamesOutputs() {
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

// eachNeed calls f with every call that one entry of deps comes to.
func (e *expansion) eachNeed(ctx context.Context, s *Step, d *schema.Command, f func(Call)) error {
	if d.For == nil && len(d.Vars) == 0 && !isTemplate(d.Text.S) {
		f(Call{Name: d.Text.S, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	}
	return e.eachCall(ctx, s, d, func(name string, args schema.Vars) error {
		f(Call{Name: name, Vars: args, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	})
}

// eachCall calls f with the name and the arguments of every call that c comes to.
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
