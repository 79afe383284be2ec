package plan

import (
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
		s.Label, s.Prefix = orName(s.Task.Label.S, s.Name), orName(s.Task.Prefix.S, s.Task.Name)
		return nil
	}
	b := &binder{ctx: ctx, scope: s.Scope}
	s.Label = orName(b.text(s.Task.Label), s.Name)
	s.Prefix = orName(b.text(s.Task.Prefix), s.Task.Name)
	s.bound = &bound{
		method:    b.text(s.Task.Method),
		sources:   b.globs(s.Task.Sources),
		generates: b.globs(s.Task.Generates),
	}
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
	s.bound.status = b.texts(s.Task.Status)
	s.bound.prompts = b.texts(s.Task.Prompt)
	s.bound.preconditions = b.preconditions(s.Task.Preconditions)
	s.bound.outputs = b.outputs(s.Task.Outputs)
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

func orName(s, name string) string {
	if s == "" {
		return name
	}
	return s
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
	return e.eachItem(ctx, s, d, func(scope *vars.Scope, _ int) error {
		name, err := scope.Expand(ctx, d.Text)
		if err != nil {
			return err
		}
		args, err := scope.BindCall(ctx, d.Vars)
		if err != nil {
			return err
		}
		f(Call{Name: name, Vars: args, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	})
}
